//! What an answer was, as far as running the command again must give the same. PURE.

/// The digest of one command's whole answer: rows, counts, generated ids, the error. Left out: warnings, status flags,
/// messages, session tracking, column definitions, which differ between servers and say nothing of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Bytes of all rows, and their hash.
    pub rows: (u64, u64),
    /// All OK packets.
    pub results: Results,
    /// The code of the error that ended it.
    pub error: Option<u16>,
}

/// What the OK packets of one answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Results {
    mixed: u64,
    /// The first generated id; 0 if there was none.
    pub first_insert_id: u64,
}

impl Results {
    /// Takes in one OK packet.
    pub fn ok(&mut self, affected_rows: u64, insert_id: u64) {
        // FNV's prime; every packet counts, in order.
        for word in [affected_rows, insert_id] {
            self.mixed = (self.mixed ^ word).wrapping_add(1).wrapping_mul(0x0100_0000_01b3);
        }
        if self.first_insert_id == 0 {
            self.first_insert_id = insert_id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_counts() {
        let of = |packets: &[(u64, u64)]| {
            let mut results = Results::default();
            packets.iter().for_each(|(affected, id)| results.ok(*affected, *id));
            results
        };
        assert_eq!(of(&[(1, 7), (2, 0)]), of(&[(1, 7), (2, 0)]));
        assert_eq!(of(&[(1, 7), (2, 9)]).first_insert_id, 7);
        let different = [of(&[]), of(&[(0, 0)]), of(&[(0, 0), (0, 0)]), of(&[(1, 0)]), of(&[(0, 1)])];
        for (at, one) in different.iter().enumerate() {
            assert_eq!(different.iter().position(|other| other == one), Some(at));
        }
    }
}
