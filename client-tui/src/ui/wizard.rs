//! The first start, and unlocking.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::{Role, Theme};
use super::widgets::{field, take_top, window, wrapped};
use crate::app::failure::Failure;
use crate::app::field::Field;
use crate::app::model::{Model, Step, Unlock, Wizard};
use crate::app::wrap::wrap;
use crate::i18n::Key;
use crate::key;

/// One page of the first start.
pub(super) fn draw(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, wizard: &Wizard) {
    let title = model
        .text_with(key!("wizard-title"), &[("step", wizard.step.number().into()), ("steps", wizard.steps().into())]);
    let mut page = Page::new(frame, area, theme, &title);
    let (explanation, labels): (Key, &[Key]) = match wizard.step {
        Step::Relay => (key!("wizard-relay"), &[key!("wizard-relay-field")]),
        Step::Name => (key!("wizard-name"), &[key!("wizard-name-field")]),
        Step::Password => (key!("wizard-password"), &[key!("wizard-password-field"), key!("wizard-again-field")]),
        Step::Invite => (key!("wizard-invite"), &[key!("wizard-invite-field")]),
        Step::Passphrase => (key!("wizard-passphrase"), &[key!("wizard-passphrase-field"), key!("wizard-again-field")]),
    };
    page.paragraph(&model.text(explanation));
    for (index, (label, field)) in labels.iter().zip(wizard.fields()).enumerate() {
        page.field(&model.text(*label), field, !wizard.busy && usize::from(wizard.second) == index);
    }
    page.outcome(model, wizard.failure.as_ref(), wizard.busy, key!("wizard-busy"));
    let keys = if wizard.step == Step::Relay { key!("wizard-keys-first") } else { key!("wizard-keys") };
    page.footer(&model.text(keys));
}

/// The passphrase of a profile.
pub(super) fn draw_unlock(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, unlock: &Unlock) {
    let mut page = Page::new(frame, area, theme, &model.text(key!("unlock-title")));
    page.paragraph(&model.text_with(key!("unlock-text"), &[("profile", unlock.profile.as_str().into())]));
    page.field(&model.text(key!("wizard-passphrase-field")), &unlock.passphrase, !unlock.busy);
    page.outcome(model, unlock.failure.as_ref(), unlock.busy, key!("unlock-busy"));
    page.footer(&model.text(key!("unlock-keys")));
}

struct Page<'f, 'b> {
    frame: &'f mut Frame<'b>,
    theme: Theme,
    rest: Rect,
}

impl<'f, 'b> Page<'f, 'b> {
    fn new(frame: &'f mut Frame<'b>, area: Rect, theme: Theme, title: &str) -> Self {
        let rest = window(frame, area, 64, 20, title, theme);
        Self { frame, theme, rest }
    }

    fn text(&mut self, text: &str, style: Style) {
        let rows = wrap(text, usize::from(self.rest.width)).len();
        let area = take_top(&mut self.rest, rows);
        wrapped(self.frame, area, text, style);
    }

    fn paragraph(&mut self, text: &str) {
        // What must be typed comes before what is good to know: a low window cuts the explanation.
        let rows = wrap(text, usize::from(self.rest.width)).len();
        let room = usize::from(self.rest.height).saturating_sub(8).max(1);
        let area = take_top(&mut self.rest, rows.min(room));
        wrapped(self.frame, area, text, self.theme.style(Role::Plain));
        self.gap();
    }

    fn field(&mut self, label: &str, value: &Field, active: bool) {
        let style = self.theme.style(if active { Role::Strong } else { Role::Quiet });
        let area = take_top(&mut self.rest, 1);
        let sign = if active { "› " } else { "  " };
        let line = Line::from(vec![Span::styled(sign, style), Span::styled(label.to_owned(), style)]);
        self.frame.render_widget(Paragraph::new(line), area);
        let area = take_top(&mut self.rest, 1);
        let area = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(2), ..area };
        field(self.frame, area, value, active, self.theme);
    }

    fn outcome(&mut self, model: &Model, failure: Option<&Failure>, busy: bool, busy_text: Key) {
        if self.rest.height > 3 {
            self.gap();
        }
        if let Some(failure) = failure {
            self.text(&format!("✗ {}", failure.text), self.theme.style(Role::Bad));
        } else if busy {
            self.text(&model.text(busy_text), self.theme.style(Role::Strong));
        }
    }

    fn footer(&mut self, text: &str) {
        let area = Rect { y: self.rest.bottom().saturating_sub(1), height: self.rest.height.min(1), ..self.rest };
        let text = crate::app::wrap::truncate(text, usize::from(area.width));
        self.frame.render_widget(Paragraph::new(Line::styled(text, self.theme.style(Role::Quiet))), area);
    }

    fn gap(&mut self) {
        take_top(&mut self.rest, 1);
    }
}
