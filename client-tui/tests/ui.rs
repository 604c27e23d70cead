//! Screens, with their styles, at the sizes that are promised.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

mod ui_support;

use susurro_client_core::Error;
use susurro_client_core::model::{
    Announcement, Cause, ClientEvent, Connection, Delivery, MessageContent, Trouble, Trust,
};
use susurro_protocol::ErrorCode;
use susurro_tui::app::model::{Look, Model};
use susurro_tui::app::{Effect, Msg, update};
use susurro_tui::i18n::{Language, Texts};
use ui_support::*;

const SIZES: [(u16, u16); 3] = [(80, 24), (40, 15), (120, 40)];

fn snapshots(name: &str, mut model: Model) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("ui_snapshots");
    settings.bind(|| {
        for (columns, rows) in SIZES {
            let buffer = screen(&mut model, columns, rows);
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), styled(&buffer));
        }
    });
}

fn everyday() -> Vec<susurro_client_core::model::MessageView> {
    vec![
        from_bob(1, 26 * 60, "Are you there?"),
        from_me(2, 26 * 60 - 3, "Yes. Nobody but you can read this, not even the relay in between.", Delivery::Read),
        from_bob(3, 12, "Good.\nThen I can tell you about the surprise:\nit is on Saturday."),
        from_me(4, 8, "I bring the cake", Delivery::Stored),
        from_me(5, 7, "and candles", Delivery::Accepted),
        from_me(6, 1, "how many?", Delivery::Queued),
    ]
}

fn crowd() -> Vec<susurro_client_core::model::ChatSummary> {
    vec![
        with_last(chat("bob", Trust::Verified, 0), "how many?", NOW - MINUTE, Some(Delivery::Queued)),
        with_last(chat("carol", Trust::Unverified, 3), "see you\nthere", NOW - 60 * MINUTE, None),
        with_last(chat("dave", Trust::ChangedAfterVerification, 0), "ok", NOW - 50 * 60 * MINUTE, Some(Delivery::Read)),
        chat("a-very-long-name-that-does-not-fit-into-a-list-123", Trust::Changed, 12),
    ]
}

fn conversation() -> Model {
    let mut model = home(crowd());
    press(&mut model, "Enter");
    let _ = update(&mut model, window(everyday(), false));
    let _ = update(&mut model, Msg::Queued(1));
    model
}

#[test]
fn wizard_first_page() {
    snapshots("wizard_relay", wizard());
}

#[test]
fn wizard_shows_an_error_where_it_can_be_mended() {
    let mut model = wizard();
    write(&mut model, "relay.example");
    press(&mut model, "Enter");
    write(&mut model, "alice");
    press(&mut model, "Enter");
    write(&mut model, "correct horse");
    press(&mut model, "Enter");
    write(&mut model, "correct horse");
    press(&mut model, "Enter");
    write(&mut model, "battery");
    press(&mut model, "Enter");
    write(&mut model, "battery");
    assert_eq!(press(&mut model, "Enter").len(), 1);
    let cause = "connection refused".to_owned();
    let error = Error::Unreachable { url: "https://relay.example".to_owned(), cause };
    let _ = update(&mut model, Msg::OpenFailed(error));
    snapshots("wizard_unreachable", model);
}

#[test]
fn wizard_passwords_that_differ() {
    let mut model = wizard();
    write(&mut model, "relay.example");
    press(&mut model, "Enter");
    write(&mut model, "alice");
    press(&mut model, "Enter");
    write(&mut model, "correct horse");
    press(&mut model, "Enter");
    write(&mut model, "correct hose");
    press(&mut model, "Enter");
    snapshots("wizard_password", model);
}

#[test]
fn unlocking() {
    let mut model = unlock();
    write(&mut model, "wrong");
    press(&mut model, "Enter");
    let _ = update(&mut model, Msg::OpenFailed(Error::WrongPassphrase));
    snapshots("unlock", model);
}

#[test]
fn no_conversation_yet() {
    snapshots("empty", home(Vec::new()));
}

#[test]
fn list_of_conversations() {
    snapshots("list", home(crowd()));
}

#[test]
fn a_conversation() {
    let mut model = conversation();
    write(&mut model, "And who else knows?");
    press(&mut model, "Alt-Enter");
    write(&mut model, "Carol does.");
    snapshots("conversation", model);
}

#[test]
fn files() {
    let messages = vec![
        message(1, 9, file("a plan with a name that is longer than a narrow screen.pdf", 5_000_000), None),
        message(2, 8, file("evil\u{202e}fdp.exe", 700), None),
        message(3, 7, file("photo.jpg", 1_234_567), Some(Delivery::Queued)),
        from_bob(4, 6, "+ a text.pdf, 4.8 MiB: Alt-S saves it"),
    ];
    let mut model = talk(susurro_client_core::model::Trust::Unverified, messages);
    let event = ClientEvent::Transfer { peer: name("bob"), message: id(3), done: 1, size: 3 };
    let _ = update(&mut model, Msg::Client(event));
    snapshots("files", model);
}

#[test]
fn a_conversation_without_colours() {
    let mut model = conversation();
    model.look = Look::Mono;
    press(&mut model, "Esc");
    snapshots("conversation_mono", model);
}

#[test]
fn a_conversation_in_spanish() {
    let mut model = conversation();
    model.texts = std::sync::Arc::new(susurro_tui::i18n::Texts::new(susurro_tui::i18n::Language::Spanish));
    snapshots("conversation_spanish", model);
}

#[test]
fn verification() {
    let mut model = conversation();
    press(&mut model, "F4");
    let _ = update(&mut model, Msg::Safety(safety(Trust::Unverified)));
    snapshots("verify", model);
}

#[test]
fn verification_after_a_changed_key() {
    let mut model = talk(Trust::ChangedAfterVerification, everyday());
    press(&mut model, "F4");
    let _ = update(&mut model, Msg::Safety(safety(Trust::ChangedAfterVerification)));
    snapshots("verify_changed", model);
}

#[test]
fn help_of_the_composer() {
    let mut model = conversation();
    press(&mut model, "F1");
    snapshots("help", model);
}

#[test]
fn the_palette() {
    let mut model = conversation();
    press(&mut model, "Ctrl-P");
    write(&mut model, "ver");
    snapshots("palette", model);
}

#[test]
fn a_new_conversation_with_nobody() {
    let mut model = conversation();
    press(&mut model, "Ctrl-N");
    write(&mut model, "bbo");
    press(&mut model, "Enter");
    let _ = update(&mut model, Msg::StartFailed(Error::UnknownPeer("bbo".to_owned())));
    snapshots("new_unknown", model);
}

#[test]
fn reconnecting() {
    let mut model = conversation();
    let waiting = Connection::Waiting { at: NOW + 7_000, trouble: Trouble::Unreachable };
    let _ = update(&mut model, Msg::Connection(waiting));
    snapshots("reconnecting", model);
}

#[test]
fn blocked_until_a_person_acts() {
    let mut model = conversation();
    let _ = update(&mut model, Msg::Connection(Connection::Blocked(Trouble::RelayKeyChanged)));
    snapshots("blocked", model);
}

#[test]
fn messages_that_cannot_be_read() {
    let mut messages = everyday();
    messages.truncate(2);
    messages.push(message(7, 5, MessageContent::Undecryptable(Cause::OldKey), None));
    messages.push(message(8, 4, MessageContent::Undecryptable(Cause::Tampered), None));
    messages.push(message(9, 3, MessageContent::Unknown(99), None));
    snapshots("undecryptable", talk(Trust::Unverified, messages));
}

#[test]
fn a_changed_key() {
    let mut messages = everyday();
    messages.push(message(7, 1, MessageContent::Note("key-changed-after-verification".to_owned()), None));
    let mut model = talk(Trust::ChangedAfterVerification, messages);
    write(&mut model, "is it you?");
    press(&mut model, "Enter");
    snapshots("key_changed", model);
}

#[test]
fn a_message_that_failed() {
    let messages = vec![from_me(1, 3, "hello", Delivery::Failed(ErrorCode::MailboxFull)), from_bob(2, 1, "hi")];
    snapshots("failed", talk(Trust::Unverified, messages));
}

#[test]
fn new_messages_are_marked() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 2)]);
    press(&mut model, "Enter");
    let messages = vec![from_bob(1, 30, "one"), from_bob(2, 20, "two"), from_bob(3, 10, "three")];
    let _ = update(&mut model, window(messages, false));
    snapshots("new_messages", model);
}

#[test]
fn wide_characters_and_emoji_keep_the_frame() {
    let messages = vec![
        from_bob(1, 9, "日本語のとても長い文章はどこで折り返されるべきでしょうか。これは確認のための文章です。"),
        from_me(2, 8, "👨‍👩‍👧‍👦👍🏽🇪🇸 emoji 🎉 of many parts ❤️ e\u{301}é", Delivery::Stored),
        from_bob(3, 7, "한국어 텍스트와 עברית ועוד ข้อความภาษาไทย"),
        from_bob(4, 6, "\x1b[2J\x1b]0;owned\x07 exe\u{202e}gpj.txt zero\u{200b}width"),
    ];
    let mut model = talk(Trust::Verified, messages);
    write(&mut model, "日本語 and 👍🏽");
    snapshots("wide", model);
}

#[test]
fn times_of_a_message() {
    let mut model = conversation();
    press(&mut model, "Esc Up Up Enter");
    snapshots("info", model);
}

mod any_size_and_text {
    use super::*;
    use proptest::prelude::*;

    fn content() -> impl Strategy<Value = MessageContent> {
        prop_oneof![
            any::<String>().prop_map(MessageContent::Text),
            "[a-z 日👍\u{301}\u{202e}\x1b\n-]{0,300}".prop_map(MessageContent::Text),
            Just(MessageContent::Undecryptable(Cause::NoSession)),
            "[a-z\x1b]{0,20}".prop_map(MessageContent::Note),
            any::<u16>().prop_map(MessageContent::Unknown),
        ]
    }

    const KEYS: [&str; 16] = [
        "Enter",
        "Esc",
        "Tab",
        "Up",
        "Down",
        "PgUp",
        "PgDn",
        "Home",
        "End",
        "F1",
        "F4",
        "Ctrl-P",
        "Ctrl-N",
        "Alt-Enter",
        "Backspace",
        "x",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn drawing_never_panics_and_no_control_character_reaches_a_cell(
            contents in prop::collection::vec((content(), any::<u64>(), any::<bool>()), 0..12),
            draft in "\\PC{0,40}[a-z \u{202e}\u{200b}\x1b\n日👍]{0,60}",
            sizes in prop::collection::vec((1_u16..=200, 1_u16..=60), 1..4),
            keys in prop::collection::vec(0..KEYS.len(), 0..24),
        ) {
            let messages = contents.into_iter().enumerate().map(|(at, (content, sent_at, own))| {
                let delivery = own.then_some(Delivery::Failed(ErrorCode::Other(7)));
                let position = u8::try_from(at + 1).unwrap();
                susurro_client_core::model::MessageView { sent_at, ..message(position, 0, content, delivery) }
            });
            let mut model = talk(Trust::ChangedAfterVerification, messages.collect());
            let _ = update(&mut model, Msg::Paste(draft));
            let _ = update(&mut model, Msg::Connection(Connection::Blocked(Trouble::RelayKeyChanged)));
            for (columns, rows) in sizes {
                check(&mut model, columns, rows)?;
                for key in &keys {
                    press(&mut model, KEYS[*key]);
                    let _ = update(&mut model, Msg::Safety(safety(Trust::Changed)));
                    check(&mut model, columns, rows)?;
                }
            }
        }

        #[test]
        fn the_first_start_fits_every_size(columns in 1_u16..=200, rows in 1_u16..=60, text in any::<String>()) {
            let mut model = wizard();
            let _ = update(&mut model, Msg::Paste(text));
            for _ in 0..6 {
                check(&mut model, columns, rows)?;
                press(&mut model, "Enter");
            }
        }
    }

    fn check(model: &mut Model, columns: u16, rows: u16) -> Result<(), TestCaseError> {
        let buffer = screen(model, columns, rows);
        for cell in buffer.content() {
            prop_assert!(!cell.symbol().contains(|c: char| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
        Ok(())
    }
}

#[test]
fn who_is_there_is_shown_by_a_sign_and_in_words_in_both_languages_and_on_narrow_screens() {
    let mut model = conversation();
    let told = |there: &[&str]| Msg::Present(there.iter().map(|peer| name(peer)).collect());
    let shows = |model: &mut Model, columns, rows, words: &str| text(&screen(model, columns, rows)).contains(words);
    assert!(!shows(&mut model, 100, 24, "•") && !shows(&mut model, 100, 24, ", here"));
    let _ = update(&mut model, told(&["bob"]));
    assert!(shows(&mut model, 100, 24, "bob ✓ •"), "in the list");
    assert!(shows(&mut model, 100, 24, "• here"), "above the messages");
    assert!(shows(&mut model, 100, 24, "bob: verified, here"), "and below them");
    assert!(shows(&mut model, 40, 15, "• here"), "where the list has no room");
    model.texts = Texts::new(Language::Spanish).into();
    assert!(shows(&mut model, 100, 24, "• aquí"));
    let _ = update(&mut model, told(&[]));
    assert!(!shows(&mut model, 100, 24, "aquí"));
}

#[test]
fn who_types_is_shown_under_the_messages_and_in_the_list_in_both_languages_and_on_narrow_screens() {
    let mut model = conversation();
    let told = |typing| Msg::Client(ClientEvent::Typing { peer: name("bob"), typing });
    let shows = |model: &mut Model, columns, rows, words: &str| text(&screen(model, columns, rows)).contains(words);
    let _ = update(&mut model, told(true));
    assert!(shows(&mut model, 100, 24, "── bob is typing… ──"));
    assert!(shows(&mut model, 100, 24, "  typing…"), "in the list");
    assert!(shows(&mut model, 40, 15, "── bob is typing… ──"), "where the list has no room");
    model.texts = Texts::new(Language::Spanish).into();
    assert!(shows(&mut model, 100, 24, "── bob está escribiendo… ──"));
    let _ = update(&mut model, told(false));
    assert!(!shows(&mut model, 100, 24, "escribiendo"));
}

#[test]
fn drawing_into_a_part_of_the_frame_touches_nothing_else() {
    use ratatui::layout::Rect;
    let mut model = conversation();
    let (columns, rows) = (44, 18);
    let _ = update(&mut model, Msg::Resize(columns, rows));
    let area = Rect::new(60, 4, columns, rows);
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(120, 30)).unwrap();
    for keys in ["Tab", "Tab", "F1", "Esc", "F4", "Esc", "Ctrl-P", "Esc", "Ctrl-N"] {
        press(&mut model, keys);
        terminal
            .draw(|frame| {
                let all = frame.area();
                frame.render_widget(ratatui::widgets::Paragraph::new("#".repeat(120 * 30)), all);
                for y in 0..all.height {
                    frame.buffer_mut().set_string(0, y, "#".repeat(120), ratatui::style::Style::new());
                }
                susurro_tui::ui::draw(frame, area, &model);
            })
            .unwrap();
        let buffer = terminal.backend().buffer();
        for y in 0..30 {
            for x in 0..120 {
                if !area.contains((x, y).into()) {
                    assert_eq!(buffer[(x, y)].symbol(), "#", "{x},{y} after {keys}");
                }
            }
        }
    }
}

fn announcement(seed: u8, text: &str) -> Announcement {
    let id = susurro_protocol::AnnouncementId::from_bytes([seed; 16]);
    Announcement { id, issued: NOW, expires: NOW + 60 * MINUTE, text: text.to_owned() }
}

#[test]
fn an_announcement_stands_above_all_and_in_a_window_of_its_own_and_is_told_once() {
    let shows = |model: &mut Model, columns, rows, words: &str| text(&screen(model, columns, rows)).contains(words);
    let mut model = conversation();
    let said = announcement(1, "Down on Sunday\nat nine.");
    let event = Msg::Client(ClientEvent::Announcement(said.clone()));
    assert_eq!(update(&mut model, event), [Effect::LoadAnnouncements]);
    assert_eq!(update(&mut model, Msg::Announcements(vec![(said.clone(), false)])), []);
    for (columns, rows) in SIZES {
        let shown = text(&screen(&mut model, columns, rows));
        assert!(shown.lines().next().unwrap().contains("▌ Announcement of the relay"), "{shown}");
    }
    assert!(shows(&mut model, 100, 24, "Down on Sunday at nine."));
    model.texts = Texts::new(Language::Spanish).into();
    assert!(shows(&mut model, 100, 24, "▌ Anuncio del relay"));
    model.texts = Texts::new(Language::English).into();

    write(&mut model, "/announcements");
    assert_eq!(press(&mut model, "Enter"), [Effect::LoadAnnouncements]);
    let older = announcement(2, "an older one");
    let read = vec![(older, true), (said.clone(), false)];
    assert_eq!(update(&mut model, Msg::Announcements(read)), [Effect::MarkTold(vec![said.id])]);
    assert!(shows(&mut model, 100, 30, "Announced by the relay https://relay.example"));
    assert!(shows(&mut model, 100, 30, "at nine.") && shows(&mut model, 100, 30, "an older one"));
    assert!(shows(&mut model, 40, 15, "at nine."));
    let _ = press(&mut model, "Esc");
    assert!(!shows(&mut model, 100, 30, "Sunday") && !shows(&mut model, 100, 30, "▌"), "told once");
}

#[test]
fn an_announcement_cannot_draw_on_the_screen() {
    let mut model = conversation();
    let said = announcement(1, "\u{1b}[2J\u{202e}evil\u{7}\nbob: hello");
    let _ = update(&mut model, Msg::Announcements(vec![(said.clone(), false)]));
    let strip = text(&screen(&mut model, 120, 30));
    assert!(strip.contains("evil") && strip.lines().filter(|line| line.contains("bob: hello")).count() == 1);
    write(&mut model, "/announcements");
    let _ = press(&mut model, "Enter");
    let _ = update(&mut model, Msg::Announcements(vec![(said, false)]));
    for cell in screen(&mut model, 120, 30).content() {
        assert!(!cell.symbol().contains(|c: char| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
    }
}
