//! The scenes, one file each; the head of each says which question it answers.

pub(crate) mod chat;
pub(crate) mod idle;
pub(crate) mod login;
pub(crate) mod presence;
pub(crate) mod room;

/// Shares work out: part `n` of `parts` takes each `parts`-th item.
pub(crate) fn share<T: Clone>(items: &[T], n: usize, parts: usize) -> Vec<T> {
    items.iter().skip(n).step_by(parts).cloned().collect()
}
