//! The verification screen: digits and a code to compare, with both names.

use qrcode::{EcLevel, QrCode};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};
use susurro_client_core::model::Trust;
use susurro_client_core::profile::SafetyInfo;
use tui_qrcode::{Colors, QrCodeWidget, QuietZone};

use super::theme::{Role, Theme};
use super::widgets::clear;
use crate::app::model::Model;
use crate::app::model::overlay::Verify;
use crate::app::words;
use crate::app::wrap::{truncate, wrap};
use crate::i18n::Key;
use crate::key;

/// Columns of the text beside the code.
const TEXT_MIN: u16 = 34;

/// Draws over everything.
pub(super) fn draw(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, verify: &Verify) {
    clear(frame, area);
    let code =
        verify.safety.as_ref().and_then(|safety| QrCode::with_error_correction_level(&safety.qr, EcLevel::L).ok());
    let widget = code
        .map(|code| QrCodeWidget::new(code).colors(Colors::Normal).quiet_zone(QuietZone::Enabled).style(Theme::code()));
    let size = widget.as_ref().map(|widget| widget.size(area)).unwrap_or_default();
    let mut rest = Rect { height: area.height.saturating_sub(1), ..area };
    let beside = size.width > 0 && area.width >= size.width + TEXT_MIN && rest.height >= size.height;
    if beside {
        rest.width -= size.width + 1;
    }
    let columns = usize::from(rest.width.saturating_sub(2)).min(70);
    let mut lines = text(model, theme, verify, columns);
    // Below the text, where there is room for it in length if not in width.
    let below = !beside && size.width > 0 && size.width <= rest.width;
    let fits = beside || (below && rest.height >= size.height);
    if verify.safety.is_some() && !fits {
        let text = model.text(key!("verify-no-code"));
        lines.extend(wrap(&text, columns).into_iter().map(|line| Line::styled(line, theme.style(Role::Quiet))));
    }
    let below = below && fits;
    let text_height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let total = if below { text_height.saturating_add(size.height + 1) } else { text_height };
    let scroll = u16::try_from(verify.scroll).unwrap_or(u16::MAX).min(total.saturating_sub(rest.height));
    let inner = Rect { x: rest.x + 1, width: rest.width.saturating_sub(1), ..rest };
    if below && text_height < scroll + rest.height {
        let at = text_height.saturating_sub(scroll);
        let room = Rect { y: rest.y + at, height: rest.height.saturating_sub(at), ..inner };
        // A code that is cut cannot be scanned and would only be in the way.
        if let Some(widget) = widget.as_ref().filter(|_| room.height >= size.height) {
            widget.render(Rect { width: size.width, height: size.height, ..room }, frame.buffer_mut());
        }
    }
    if beside && let Some(widget) = &widget {
        let at = Rect { x: rest.right() + 1, y: rest.y, width: size.width, height: size.height };
        widget.render(at, frame.buffer_mut());
    }
    lines.drain(..usize::from(scroll).min(lines.len()));
    lines.truncate(usize::from(rest.height));
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines), Rect { height: used.min(inner.height), ..inner });
    footer(frame, area, model, theme, verify);
}

fn text<'a>(model: &Model, theme: Theme, verify: &Verify, columns: usize) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    let mut put =
        |text: &str, style| lines.extend(wrap(text, columns).into_iter().map(|line| Line::styled(line, style)));
    put(&model.text(key!("verify-title")), theme.style(Role::Title));
    if let Some(safety) = &verify.safety {
        let names = [("ours", safety.ours.as_str().into()), ("theirs", safety.theirs.as_str().into())];
        put(&model.text_with(key!("verify-names"), &names), theme.style(Role::Strong));
        let mark = words::trust(model, safety.trust);
        put(&format!("{} {}", mark.sign, mark.word), theme.weight(mark.weight));
        put("", theme.style(Role::Plain));
        for row in digits(safety, columns) {
            put(&row, theme.style(Role::Strong));
        }
        put("", theme.style(Role::Plain));
    } else if verify.failure.is_none() {
        put(&model.text(key!("verify-loading")), theme.style(Role::Quiet));
    }
    if let Some(failure) = &verify.failure {
        put(&format!("✗ {}", failure.text), theme.style(Role::Bad));
    }
    if let Some(safety) = &verify.safety {
        let name = [("name", safety.theirs.as_str().into())];
        put(&model.text_with(advice(safety.trust), &name), theme.style(Role::Plain));
    }
    lines
}

/// Rows of four groups, of two where four do not fit.
fn digits(safety: &SafetyInfo, columns: usize) -> Vec<String> {
    let groups = if columns >= 23 { 4 } else { 2 };
    safety.groups.chunks(groups).map(|row| row.join(" ")).collect()
}

const fn advice(trust: Trust) -> Key {
    match trust {
        Trust::Unverified => key!("verify-advice"),
        Trust::Verified => key!("verify-done"),
        Trust::Changed => key!("verify-changed"),
        Trust::ChangedAfterVerification => key!("verify-blocked"),
    }
}

fn footer(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, verify: &Verify) {
    let key = match verify.safety.as_ref().map(|safety| safety.trust) {
        _ if verify.busy => key!("verify-busy"),
        None | Some(Trust::Verified) => key!("verify-keys-back"),
        Some(Trust::Unverified) => key!("verify-keys"),
        Some(Trust::Changed | Trust::ChangedAfterVerification) => key!("verify-keys-changed"),
    };
    let at = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    let text = truncate(&model.text(key), usize::from(at.width));
    frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Key))), at);
}
