//! A stack whose first places need no heap: a stanza of the usual shape is scanned without an allocation.

/// At most `N` values inline, further ones in a vector.
#[derive(Clone, Debug)]
pub(super) struct Stack<T, const N: usize> {
    inline: [T; N],
    spill: Vec<T>,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Stack<T, N> {
    pub(super) fn new() -> Self {
        Self { inline: [T::default(); N], spill: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = value,
            None => self.spill.push(value),
        }
        self.len += 1;
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.last()?;
        self.truncate(self.len - 1);
        Some(last)
    }

    #[inline]
    pub(super) fn last(&self) -> Option<T> {
        self.get(self.len.checked_sub(1)?)
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        match self.inline.get(index) {
            Some(value) => Some(*value),
            None => self.spill.get(index - N).copied(),
        }
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            if self.spill.len() > len.saturating_sub(N) {
                self.spill.truncate(len.saturating_sub(N));
            }
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_ {
        let inline = self.len.min(N);
        (0..self.len).map(move |index| if index < inline { self.inline[index] } else { self.spill[index - N] })
    }
}
