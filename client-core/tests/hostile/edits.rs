//! Small changes to something good.

/// Changes `bytes` as `edits` says, three bytes an edit: a place, as a fraction of the length, and
/// what is added there by exclusive or. An edit of nothing cuts everything off from its place.
pub fn apply(bytes: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) * bytes.len() / 65_536;
        match (bytes.get_mut(place), edit[2]) {
            (_, 0) => bytes.truncate(place),
            (Some(byte), change) => *byte ^= change,
            (None, _) => {}
        }
    }
}
