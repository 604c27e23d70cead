//! Where the profile is.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The profile directory: the one that was named, else `susurro/default` in the data directory.
/// `None` when neither is known.
pub(crate) fn directory(named: Option<PathBuf>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path).filter(|path| !path.as_os_str().is_empty()),
        None => etcetera::choose_base_strategy().ok().map(|base| base.data_dir().join("susurro").join("default")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_profile_is_taken_as_it_is_and_an_empty_name_is_none() {
        assert_eq!(directory(Some("some/where".into())), Some("some/where".into()));
        assert_eq!(directory(Some(PathBuf::new())), None);
    }

    #[test]
    fn without_a_name_the_profile_is_in_the_data_directory() {
        assert!(directory(None).is_none_or(|path| path.ends_with("susurro/default")));
    }
}
