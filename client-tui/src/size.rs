//! Sizes of files, as people read them.

/// `900 B`, `12.3 KiB`, `4.0 MiB`.
#[must_use]
pub fn shown(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    let (unit, name) = match bytes {
        0..KIB => return format!("{bytes} B"),
        KIB..MIB => (KIB, "KiB"),
        _ => (MIB, "MiB"),
    };
    // To the nearest tenth, without the rounding of floating point.
    let tenths = (bytes * 10 + unit / 2) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_600, "1.6 KiB"), (104_857_600, "100.0 MiB")]
        {
            assert_eq!(shown(bytes), text);
        }
    }
}
