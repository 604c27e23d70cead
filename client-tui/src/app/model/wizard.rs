//! The first start, and unlocking.

use crate::app::failure::Failure;
use crate::app::field::Field;

/// A page of the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Which relay.
    Relay,
    /// Which name.
    Name,
    /// Which password for the relay, twice.
    Password,
    /// Which passphrase for this computer, twice.
    Passphrase,
    /// Which invite, after a relay has said that it needs one.
    Invite,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Relay, Self::Name, Self::Password, Self::Passphrase, Self::Invite];

    /// Counted from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64 + 1
    }
}

/// The first start: what is typed is kept whatever goes wrong.
#[derive(Debug)]
pub struct Wizard {
    /// The page.
    pub step: Step,
    /// Address of the relay.
    pub relay: Field,
    /// Name of the account.
    pub name: Field,
    /// Password and its repetition.
    pub password: [Field; 2],
    /// Passphrase and its repetition.
    pub passphrase: [Field; 2],
    /// What the relay's operator gave, where one is needed.
    pub invite: Field,
    /// Which of two fields has the cursor.
    pub second: bool,
    /// What is wrong on this page.
    pub failure: Option<Failure>,
    /// Whether registration is under way.
    pub busy: bool,
}

impl Wizard {
    /// The first page, with what is known already.
    #[must_use]
    pub fn new(relay: &str, name: &str) -> Self {
        Self {
            step: Step::Relay,
            relay: Field::plain(relay),
            name: Field::plain(name),
            password: [Field::secret(), Field::secret()],
            passphrase: [Field::secret(), Field::secret()],
            invite: Field::plain(""),
            second: false,
            failure: None,
            busy: false,
        }
    }

    /// How many pages there are: that of the invite only where it is needed.
    #[must_use]
    pub fn steps(&self) -> u64 {
        if self.step == Step::Invite || !self.invite.is_empty() { 5 } else { 4 }
    }

    /// The fields of this page.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match self.step {
            Step::Relay => std::slice::from_ref(&self.relay),
            Step::Name => std::slice::from_ref(&self.name),
            Step::Password => &self.password,
            Step::Passphrase => &self.passphrase,
            Step::Invite => std::slice::from_ref(&self.invite),
        }
    }

    /// The field with the cursor.
    pub fn field_mut(&mut self) -> &mut Field {
        let second = usize::from(self.second);
        match self.step {
            Step::Relay => &mut self.relay,
            Step::Name => &mut self.name,
            Step::Password => &mut self.password[second],
            Step::Passphrase => &mut self.passphrase[second],
            Step::Invite => &mut self.invite,
        }
    }
}

/// A locked profile.
#[derive(Debug)]
pub struct Unlock {
    /// Where it is, as shown.
    pub profile: String,
    /// What is typed.
    pub passphrase: Field,
    /// What was wrong.
    pub failure: Option<Failure>,
    /// Whether it is being opened.
    pub busy: bool,
}

impl Unlock {
    /// Of the profile at this place.
    #[must_use]
    pub fn new(profile: &str) -> Self {
        Self { profile: crate::sanitize::line(profile), passphrase: Field::secret(), failure: None, busy: false }
    }
}
