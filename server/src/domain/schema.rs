//! Versions of the database's schema: what this program knows against what a database has been through.

/// A step that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number; steps are taken in their order.
    pub version: i64,
    /// What it is called.
    pub name: String,
    /// SHA-384 of what it does.
    pub checksum: Vec<u8>,
}

/// A step that a database has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub version: i64,
    /// SHA-384 of what it did.
    pub checksum: Vec<u8>,
}

/// A step, and whether it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it is called.
    pub name: String,
    /// Whether the database has taken it.
    pub taken: bool,
}

/// Where to go from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Nowhere.
    Stay,
    /// Forward to this version, or to the newest.
    Up(Option<i64>),
    /// Back to this version, 0 for an empty database; or one step.
    Down(Option<i64>),
}

/// Why a database is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It has taken a step that this program does not know.
    #[error("it was written by a newer susurro-server (schema {0})")]
    FromTheFuture(i64),
    /// It has taken a step of this number that did something else.
    #[error("step {0} of its schema is not the one that this program knows")]
    Changed(i64),
    /// Nothing to go to.
    #[error("there is no schema {0} to go to; `susurro-server migrate status` shows those that there are")]
    Nowhere(i64),
}

/// Compares, and gives every known step.
///
/// # Errors
///
/// [`SchemaError::FromTheFuture`] names the newest unknown step, [`SchemaError::Changed`] the oldest
/// one that differs.
pub fn compare(known: &[Known], taken: &[Taken]) -> Result<Vec<Step>, SchemaError> {
    let find = |version| known.iter().find(|step| step.version == version);
    if let Some(unknown) = taken.iter().map(|step| step.version).filter(|version| find(*version).is_none()).max() {
        return Err(SchemaError::FromTheFuture(unknown));
    }
    let differs = |step: &&Taken| find(step.version).is_some_and(|known| known.checksum != step.checksum);
    if let Some(changed) = taken.iter().filter(differs).map(|step| step.version).min() {
        return Err(SchemaError::Changed(changed));
    }
    let is_taken = |version| taken.iter().any(|step| step.version == version);
    let step = |step: &Known| Step { version: step.version, name: step.name.clone(), taken: is_taken(step.version) };
    Ok(known.iter().map(step).collect())
}

/// The version that a move ends at, for a database with these steps.
///
/// # Errors
///
/// [`SchemaError::Nowhere`].
pub fn target(steps: &[Step], to: Move) -> Result<i64, SchemaError> {
    let mut taken = steps.iter().rev().filter(|step| step.taken).map(|step| step.version);
    let present = taken.next().unwrap_or_default();
    match to {
        Move::Stay => Ok(present),
        Move::Up(None) => Ok(steps.last().map_or(0, |step| step.version)),
        Move::Down(None) => Ok(taken.next().unwrap_or_default()),
        Move::Up(Some(to)) | Move::Down(Some(to)) if to == 0 || steps.iter().any(|step| step.version == to) => Ok(to),
        Move::Up(Some(to)) | Move::Down(Some(to)) => Err(SchemaError::Nowhere(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let step = |version: u8| Known { version: version.into(), name: format!("{version}"), checksum: vec![version] };
        (1..=3).map(step).collect()
    }

    fn taken(steps: &[(i64, u8)]) -> Vec<Taken> {
        steps.iter().map(|(version, checksum)| Taken { version: *version, checksum: vec![*checksum] }).collect()
    }

    #[test]
    fn a_database_from_the_future_or_with_another_past_is_told_apart() {
        assert_eq!(
            compare(&known(), &taken(&[(1, 1), (2, 2), (3, 3), (5, 5), (4, 4)])),
            Err(SchemaError::FromTheFuture(5))
        );
        assert_eq!(compare(&known(), &taken(&[(1, 1), (2, 9), (3, 9)])), Err(SchemaError::Changed(2)));
        let steps = compare(&known(), &taken(&[(1, 1)])).unwrap_or_default();
        assert_eq!(steps.iter().map(|step| step.taken).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn a_move_ends_where_it_should_or_nowhere() {
        let steps = compare(&known(), &taken(&[(1, 1), (2, 2)])).unwrap_or_default();
        let target = |to| target(&steps, to);
        assert_eq!((target(Move::Stay), target(Move::Up(None)), target(Move::Down(None))), (Ok(2), Ok(3), Ok(1)));
        assert_eq!((target(Move::Down(Some(0))), target(Move::Up(Some(3)))), (Ok(0), Ok(3)));
        assert_eq!(target(Move::Up(Some(7))), Err(SchemaError::Nowhere(7)));
    }
}
