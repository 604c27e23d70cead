//! The administration and invites ports.

use susurro_protocol::{AccountId, ErrorCode};

use super::{MemoryStore, Registered, State, done};
use crate::domain::Error;
use crate::domain::account::{NewPassword, Proof, Role, Verifier};
use crate::domain::invite::{Invite, InviteHash, InviteId};
use crate::domain::token::FamilyId;
use crate::ports::{Administration, Answer, Figures, Invites};

impl State {
    fn change(&mut self, account: AccountId, change: impl FnOnce(&mut Registered)) {
        if let Some(registered) = self.accounts.values_mut().find(|registered| registered.account.id == account) {
            change(registered);
        }
    }

    /// Ends the logins of an account, but for `kept`.
    pub(super) fn end_families(&mut self, account: AccountId, kept: Option<FamilyId>) -> Vec<FamilyId> {
        let of_account =
            self.families.iter_mut().filter(|(id, family)| family.account == account && Some(**id) != kept);
        let open = of_account.filter(|(_, family)| !family.revoked);
        open.map(|(id, family)| {
            family.revoked = true;
            *id
        })
        .collect()
    }
}

impl Administration for MemoryStore {
    fn disable(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        let mut state = self.state();
        state.change(account, |registered| {
            registered.account.disabled.get_or_insert(now);
        });
        done(Ok(state.end_families(account, None)))
    }

    fn enable(&self, account: AccountId) -> Answer<'_, ()> {
        self.state().change(account, |registered| registered.account.disabled = None);
        done(Ok(()))
    }

    fn set_role(&self, account: AccountId, role: Role) -> Answer<'_, ()> {
        self.state().change(account, |registered| registered.account.role = role);
        done(Ok(()))
    }

    fn set_password(&self, new: NewPassword, _now: u64) -> Answer<'_, Vec<FamilyId>> {
        let mut state = self.state();
        if let Err(error) = state.check_proof(new.account, new.proof) {
            return done(Err(error));
        }
        state.change(new.account, |registered| {
            registered.credentials.stretch = new.stretch;
            registered.credentials.verifier = new.verifier;
        });
        done(Ok(state.end_families(new.account, new.kept)))
    }

    fn set_recovery(
        &self,
        account: AccountId,
        proven: [u8; 16],
        verifier: Option<Verifier>,
        now: u64,
    ) -> Answer<'_, ()> {
        let mut state = self.state();
        if state.by_id(account).is_none_or(|known| known.credentials.verifier.salt != proven) {
            return done(Err(ErrorCode::InvalidCredentials.into()));
        }
        state.change(account, |registered| registered.recovery = verifier.map(|verifier| (verifier, now)));
        done(Ok(()))
    }

    fn recovery_set(&self, account: AccountId) -> Answer<'_, Option<u64>> {
        let state = self.state();
        let recovery = state.by_id(account).and_then(|known| known.recovery.as_ref());
        done(Ok(recovery.map(|(_, since)| *since)))
    }

    fn erase(&self, account: AccountId, proof: Option<Proof>, _now: u64) -> Answer<'_, Vec<FamilyId>> {
        let mut state = self.state();
        if let Err(error) = proof.map_or(Ok(()), |proof| state.check_proof(account, proof)) {
            return done(Err(error));
        }
        let ended = state.end_families(account, None);
        // The families stay, as ended ones of nobody: their tokens are still about.
        let own: Vec<_> = state.by_id(account).map(|registered| registered.devices.clone()).unwrap_or_default();
        for device in &own {
            state.devices.remove(device);
            state.mailboxes.remove(device);
            state.prekeys.remove(device);
        }
        for mailbox in state.mailboxes.values_mut() {
            mailbox.waiting.retain(|_, (message, _)| !own.contains(&message.sender_device));
        }
        state.sent.retain(|(device, _), _| !own.contains(device));
        state.chats.retain(|_, chat| !chat.members.contains(&account));
        state.accounts.retain(|_, registered| registered.account.id != account);
        state.erasures.remove(&account);
        done(Ok(ended))
    }

    fn ask_to_erase(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        self.state().erasures.insert(account);
        self.disable(account, now)
    }

    fn to_erase(&self) -> Answer<'_, Vec<AccountId>> {
        done(Ok(self.state().erasures.iter().copied().collect()))
    }

    fn figures(&self) -> Answer<'_, Figures> {
        let state = self.state();
        let waiting = state.mailboxes.values().map(|mailbox| mailbox.waiting.len() as u64).sum();
        let disabled = state.accounts.values().filter(|registered| registered.account.disabled.is_some()).count();
        done(Ok(Figures { accounts: state.accounts.len() as u64, disabled: disabled as u64, waiting }))
    }

    fn ended_elsewhere(&self) -> Answer<'_, Vec<FamilyId>> {
        // Nobody else has this memory.
        done(Ok(Vec::new()))
    }
}

impl State {
    /// Whether what was shown is what counts now.
    fn check_proof(&self, account: AccountId, proof: Proof) -> Result<(), Error> {
        let known = self.by_id(account).ok_or(ErrorCode::Unauthenticated)?;
        let recovery = known.recovery.as_ref().map(|(verifier, _)| verifier.salt);
        proof.check(known.credentials.verifier.salt, recovery, known.account.disabled.is_some())
    }
}

impl Invites for MemoryStore {
    fn create_invite(&self, invite: Invite) -> Answer<'_, ()> {
        self.state().invites.insert(invite.hash, invite);
        done(Ok(()))
    }

    fn invite(&self, hash: InviteHash) -> Answer<'_, Option<Invite>> {
        done(Ok(self.state().invites.get(&hash).cloned()))
    }

    fn invites(&self, after: Option<InviteId>, limit: u32) -> Answer<'_, Vec<Invite>> {
        let state = self.state();
        let later = state.invites.values().filter(|invite| after.is_none_or(|after| invite.hash.id() > after));
        done(Ok(later.take(limit as usize).cloned().collect()))
    }

    fn revoke_invite(&self, id: InviteId, now: u64) -> Answer<'_, bool> {
        let mut state = self.state();
        let mut found = false;
        for invite in state.invites.values_mut().filter(|invite| invite.hash.id() == id) {
            invite.revoked.get_or_insert(now);
            found = true;
        }
        done(Ok(found))
    }
}
