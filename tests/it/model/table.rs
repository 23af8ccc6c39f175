//! A hash table that is quick without an optimizer: the everyday test runs in the debug profile.

/// Distinct keys in the order of their arrival, each with a number.
pub struct Table<K> {
    pub keys: Vec<K>,
    digests: Vec<u64>,
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl<K: PartialEq> Table<K> {
    pub fn new() -> Self {
        Table {
            keys: Vec::new(),
            digests: Vec::new(),
            slots: vec![FREE; 1 << 12],
        }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The number of `key`, and whether it is new.
    pub fn insert(&mut self, key: K, digest: u64) -> (u32, bool) {
        let mask = self.slots.len() - 1;
        let mut at = (digest ^ digest >> 32) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                break;
            }
            if self.digests[slot as usize] == digest && self.keys[slot as usize] == key {
                return (slot, false);
            }
            at = (at + 1) & mask;
        }
        let number = self.keys.len() as u32;
        self.slots[at] = number;
        self.keys.push(key);
        self.digests.push(digest);
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        (number, true)
    }

    pub fn find(&self, key: &K, digest: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = (digest ^ digest >> 32) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return None;
            }
            if self.digests[slot as usize] == digest && self.keys[slot as usize] == *key {
                return Some(slot);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        let mask = size - 1;
        let mut slots = vec![FREE; size];
        for (number, digest) in self.digests.iter().enumerate() {
            let mut at = (digest ^ digest >> 32) as usize & mask;
            while slots[at] != FREE {
                at = (at + 1) & mask;
            }
            slots[at] = number as u32;
        }
        self.slots = slots;
    }
}

/// What was computed before.
pub struct Memo<K> {
    known: Table<K>,
    values: Vec<u32>,
}

impl<K: PartialEq> Memo<K> {
    pub fn new() -> Self {
        Memo {
            known: Table::new(),
            values: Vec::new(),
        }
    }

    pub fn get(&self, key: &K, digest: u64) -> Option<u32> {
        let at = self.known.find(key, digest)?;
        Some(self.values[at as usize])
    }

    pub fn put(&mut self, key: K, digest: u64, value: u32) {
        let (at, is_new) = self.known.insert(key, digest);
        if is_new {
            self.values.push(value);
        } else {
            self.values[at as usize] = value;
        }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }
}
