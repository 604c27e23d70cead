//! Requests to the relay: each at most once at a time, tried again with backoff.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, ErrorCode, MessageId};

use super::backoff;
use super::engine::Engine;
use super::types::{Answer, Effect, Request, RequestFailure, RequestId, Token};

/// Answers out of shape after which a request is given up: a proxy's error page passes, a relay
/// that speaks something else does not.
const NOT_A_RELAY_MAX: u32 = 5;
/// The longest wait that a relay can ask for, in milliseconds.
pub(super) const RETRY_AFTER_MAX: u64 = 3600 * 1000;

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// New tokens.
    Refresh,
    /// What the relay holds of this device's prekeys.
    CountKeys,
    /// Upload of prekeys.
    PublishKeys,
    /// The device list behind a name.
    Devices(AccountName),
    /// The direct chat with a name.
    OpenChat(AccountName),
    /// Who is in a chat.
    Chat(ChatId),
    /// A bundle, to send to a device for the first time.
    Claim(AccountId, DeviceId),
    /// A bundle, to replace a session that does not work.
    Repair(AccountId, DeviceId),
    /// The file of a message, a request a chunk.
    Upload(MessageId),
}

#[derive(Default)]
pub(super) struct Jobs {
    states: BTreeMap<Job, JobState>,
    /// With the generation of the token that they went out with.
    running: BTreeMap<RequestId, (Job, u64)>,
    next_id: u64,
    /// The request whose answer is being read.
    answering: u64,
}

#[derive(Default, Clone, Copy)]
struct JobState {
    running: bool,
    attempts: u32,
    retry_at: u64,
}

impl Jobs {
    /// `first_id` is random: an answer to an engine before a restart is not taken for one of this.
    pub(super) fn new(first_id: u64) -> Self {
        Self { next_id: first_id, ..Self::default() }
    }

    /// Marks this moment: requests that were made before it can be told from later ones.
    pub(super) fn mark(&self) -> u64 {
        self.next_id
    }

    /// Whether the answer being read is to a request that was made before the mark.
    pub(super) fn answers_before(&self, mark: u64) -> bool {
        self.answering < mark
    }

    /// Waits end with a new connection; attempts are still counted.
    pub(super) fn retry_all(&mut self) {
        for state in self.states.values_mut() {
            state.retry_at = 0;
        }
    }

    pub(super) fn retry_now(&mut self, job: &Job) {
        if let Some(state) = self.states.get_mut(job) {
            state.retry_at = 0;
        }
    }

    /// Puts off a job that succeeded without giving what was wanted.
    pub(super) fn put_off(&mut self, job: Job, attempts: u32, until: u64) {
        self.states.insert(job, JobState { running: false, attempts: attempts + 1, retry_at: until });
    }

    /// Whether a request of this kind is on its way.
    pub(super) fn runs(&self, kind: impl Fn(&Job) -> bool) -> bool {
        self.states.iter().any(|(job, state)| state.running && kind(job))
    }

    pub(super) fn next_wake(&self, now: u64) -> Option<u64> {
        self.states.values().filter(|state| !state.running && state.retry_at > now).map(|state| state.retry_at).min()
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Sees to it that a request is made. To be called as long as its answer is wanted.
    pub(super) fn want(&mut self, job: Job) {
        if job != Job::Refresh && !self.is_connected() {
            return;
        }
        let state = self.jobs.states.get(&job).copied().unwrap_or_default();
        if state.running || !backoff::is_due(state.retry_at, self.now, RETRY_AFTER_MAX) {
            return;
        }
        if job != Job::Refresh && !self.token_is_fresh() {
            return self.want(Job::Refresh);
        }
        let Some(tokens) = &self.tokens.current else { return };
        let token = |text: &zeroize::Zeroizing<String>| Token(text.clone());
        let access_token = (job != Job::Refresh).then(|| token(&tokens.access));
        let request = match &job {
            Job::Refresh => Request::Refresh { refresh_token: token(&tokens.refresh) },
            Job::CountKeys => Request::CountKeys,
            Job::PublishKeys => {
                self.prekey_state.rotated = false;
                Request::PublishKeys(Box::new(self.prekeys.publication(&self.me.device)))
            }
            Job::Devices(name) => Request::FetchDevices(name.clone()),
            Job::OpenChat(name) => Request::OpenChat(name.clone()),
            Job::Chat(chat) => Request::FetchChat(*chat),
            Job::Claim(account, device) | Job::Repair(account, device) => {
                Request::Claim { account: *account, devices: vec![*device] }
            }
            Job::Upload(message) => match self.uploads.request(message) {
                Some(request) => request,
                None => return,
            },
        };
        let id = RequestId(self.jobs.next_id);
        self.jobs.next_id += 1;
        self.jobs.running.insert(id, (job.clone(), self.tokens.generation));
        self.jobs.states.insert(job, JobState { running: true, ..state });
        self.draft.effects.push(Effect::Request { id, request, access_token });
    }

    pub(super) fn answered(&mut self, id: RequestId, result: Result<Answer, RequestFailure>) {
        let Some((job, generation)) = self.jobs.running.remove(&id) else { return };
        let former = self.jobs.states.remove(&job).unwrap_or_default();
        self.jobs.answering = id.0;
        let failure = match (job.clone(), result) {
            (Job::Refresh, Ok(Answer::Tokens(tokens))) => return self.refreshed(tokens),
            (job, Ok(answer)) => match self.take_answer(job, answer, former.attempts) {
                Ok(()) => return,
                Err(failure) => failure,
            },
            (_, Err(failure)) => failure,
        };
        self.job_failed(job, former.attempts, generation, failure);
    }

    fn take_answer(&mut self, job: Job, answer: Answer, attempts: u32) -> Result<(), RequestFailure> {
        match (job, answer) {
            (Job::CountKeys, Answer::Keys(count)) => self.keys_counted(&count),
            (Job::PublishKeys, Answer::Keys(count)) => self.keys_published(&count),
            (Job::Devices(name), Answer::Devices(devices)) => self.devices_fetched(&name, &devices),
            (Job::OpenChat(name), Answer::Chat(chat)) => self.chat_opened(&name, &chat),
            (Job::Chat(id), Answer::Chat(chat)) => self.members_fetched(id, &chat),
            (Job::Claim(account, device), Answer::Bundles(claim)) => {
                self.claimed(account, device, &claim, attempts);
            }
            (Job::Repair(account, device), Answer::Bundles(claim)) => {
                self.claimed_for_repair(account, device, &claim);
            }
            (Job::Upload(message), Answer::Blob(state)) => self.upload_advanced(message, &state)?,
            _ => return Err(RequestFailure::NotARelay),
        }
        Ok(())
    }

    fn job_failed(&mut self, job: Job, attempts: u32, generation: u64, failure: RequestFailure) {
        if job == Job::Refresh {
            return self.refresh_failed(attempts, failure);
        }
        let retry_after = match failure {
            RequestFailure::Refused { code, .. } if is_about_token(code) => {
                self.doubt_token(generation);
                0
            }
            RequestFailure::Refused { code, retry_after } if code.is_temporary() => retry_after.unwrap_or(0),
            RequestFailure::Refused { code, .. } if self.uploads.starts_over(&job, code) => 0,
            RequestFailure::NotARelay if attempts < NOT_A_RELAY_MAX => 0,
            RequestFailure::Unreachable => 0,
            RequestFailure::Refused { .. } | RequestFailure::NotARelay => return self.job_given_up(&job, failure),
        };
        let wait = backoff::delay(attempts, &mut self.rng).max(retry_after.min(RETRY_AFTER_MAX));
        let state = JobState { running: false, attempts: attempts + 1, retry_at: self.now + wait };
        self.jobs.states.insert(job, state);
    }

    /// Puts `Refresh` off while connected.
    pub(super) fn put_off_refresh(&mut self, attempts: u32, retry_after: u64) {
        let wait = backoff::delay(attempts, &mut self.rng).max(retry_after.min(RETRY_AFTER_MAX));
        let state = JobState { running: false, attempts: attempts + 1, retry_at: self.now + wait };
        self.jobs.states.insert(Job::Refresh, state);
    }

    /// The relay will not answer this, however often it is asked.
    fn job_given_up(&mut self, job: &Job, failure: RequestFailure) {
        let code = match failure {
            RequestFailure::Refused { code, .. } => code,
            RequestFailure::Unreachable | RequestFailure::NotARelay => ErrorCode::Internal,
        };
        match job {
            Job::Refresh => {}
            Job::CountKeys | Job::PublishKeys => self.keys_refused(),
            Job::Devices(name) | Job::OpenChat(name) => self.name_refused(name, code, failure),
            Job::Chat(chat) => self.members_unknown(*chat),
            Job::Claim(account, _) => {
                if let Some(name) = self.people.name_of(account).cloned() {
                    self.fail_queue(&name, code);
                }
            }
            Job::Repair(_, device) => self.repair_refused(*device),
            Job::Upload(message) => self.give_up(message, code),
        }
    }
}

/// Whether a refusal is about the access token and not about the request.
pub(super) const fn is_about_token(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::TokenRevoked)
}
