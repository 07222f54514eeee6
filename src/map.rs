//! Maps whose hasher is keyed and fast; the key is fixed because every map here is bounded and keyed by what the server chose
//! or by prepared JIDs.

use foldhash::fast::FixedState;

/// A hash map.
pub type Map<K, V> = hashbrown::HashMap<K, V, FixedState>;
