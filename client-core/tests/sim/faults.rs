//! What can go wrong, and what people and operators do.

/// Per mille of each fault, each time it can happen.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub crash_before_commit: u64,
    pub crash_after_commit: u64,
    pub crash_between_effects: u64,
    pub commit_fails: u64,
    pub connection_lost: u64,
    pub request_lost: u64,
    pub answer_lost: u64,
    pub connect_fails: u64,
    pub refusals: u64,
    /// The relay delivers something twice, under two positions.
    pub duplicates: u64,
    /// The relay loses whispers, repeats them and brings old ones again.
    pub whisper_chaos: u64,
}

impl Faults {
    pub const NONE: Self = Self {
        crash_before_commit: 0,
        crash_after_commit: 0,
        crash_between_effects: 0,
        commit_fails: 0,
        connection_lost: 0,
        request_lost: 0,
        answer_lost: 0,
        connect_fails: 0,
        refusals: 0,
        duplicates: 0,
        whisper_chaos: 0,
    };
}

/// Ways to break the shell around the engine, to see that the world notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    None,
    /// Effects are performed before the commit.
    EffectsBeforeCommit,
    /// What was seen is forgotten with each crash.
    NoDedup,
    /// What was encrypted is forgotten with each crash, and encrypted again.
    EncryptAgain,
}

/// What people and operators do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    Write { from: usize, to: usize },
    Type { from: usize, to: usize },
    Online(usize),
    Offline(usize),
    Read(usize),
    Sleep { client: usize, millis: u64 },
    Crash(usize),
    RestartRelay { graceful: bool },
    RevokeAccess,
    NewDeviceList(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashPoint {
    BeforeCommit,
    AfterCommit,
    AfterEffects(usize),
}
