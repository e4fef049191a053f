//! A map of a few entries, sorted in one allocation of their exact size. A node of a `BTreeMap`
//! makes room for eleven; with a hundred thousand datasets of two holders each, that is most of a
//! brain's memory.

use serde::{Deserialize, Serialize};

/// A map for a handful of entries. Iterates in the order of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SmallMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// The value of `key`; `make` makes it if there is none.
    pub(crate) fn or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (key, make()));
                at
            }
        };
        &mut self.0[at].1
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(_) => {
                self.or_insert_with(key, || value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Ok(at) = self.place(key) {
            self.0.remove(at);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_an_ordinary_map_does() {
        let mut small = SmallMap::default();
        let mut ordinary = BTreeMap::new();
        let mut number = 7_u32;
        for step in 0..2_000_u32 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = number >> 28;
            match number % 4 {
                0 => {
                    small.insert(key, step);
                    ordinary.insert(key, step);
                }
                1 => {
                    small.remove(&key);
                    ordinary.remove(&key);
                }
                2 => assert_eq!(
                    small.or_insert_with(key, || step),
                    ordinary.entry(key).or_insert(step)
                ),
                _ => assert_eq!(small.get_mut(&key), ordinary.get_mut(&key)),
            }
            assert_eq!(small.get(&key), ordinary.get(&key));
            assert_eq!(small.contains_key(&key), ordinary.contains_key(&key));
            assert!(small.iter().eq(ordinary.iter()), "step {step}");
        }
        small.clear();
        assert_eq!(small.iter().count(), 0);
    }
}
