//! A stack whose first places need no heap: a stanza of the usual shape is scanned without an allocation.

/// At most `N` values inline; with one more, all of them in a vector.
#[derive(Clone, Debug)]
pub(super) struct Stack<T, const N: usize> {
    inline: [T; N],
    /// Values inline; 0 while the vector is in use.
    len: usize,
    spill: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Stack<T, N> {
    #[inline]
    pub(super) fn new() -> Self {
        Self { inline: [T::default(); N], len: 0, spill: Vec::new() }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        if self.spill.is_empty() { self.inline.get(..self.len).unwrap_or_default() } else { &self.spill }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len + self.spill.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) {
        match self.inline.get_mut(self.len) {
            Some(place) if self.spill.is_empty() => {
                *place = value;
                self.len += 1;
            }
            _ => self.push_far(value),
        }
    }

    #[cold]
    fn push_far(&mut self, value: T) {
        if self.spill.is_empty() {
            self.spill.extend_from_slice(&self.inline);
            self.len = 0;
        }
        self.spill.push(value);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.as_slice().last().copied()?;
        self.truncate(self.len() - 1);
        Some(last)
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        if !self.spill.is_empty() {
            self.spill.truncate(len);
        }
    }
}
