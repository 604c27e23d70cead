//! How the interface changes: pure, so that every promise to people is a line here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod ui_support;

use susurro_client_core::Error;
use susurro_client_core::model::{ClientEvent, Connection, Delivery, MessageContent, Trouble, Trust};
use susurro_protocol::ErrorCode;
use susurro_protocol::ids::IdError;
use susurro_tui::app::field::Hidden;
use susurro_tui::app::model::{Focus, Older, Overlay, Screen, Scroll, Step};
use susurro_tui::app::{Effect, Msg, update};
use ui_support::*;

fn send(text: &str, ticket: u64) -> Effect {
    Effect::Send { peer: name("bob"), text: text.to_owned(), ticket }
}

fn event(model: &mut susurro_tui::app::Model, event: ClientEvent) -> Vec<Effect> {
    update(model, Msg::Client(event))
}

fn many(count: u8) -> Vec<susurro_client_core::model::MessageView> {
    (1..=count).map(|n| from_bob(n, u64::from(count - n), &format!("message {n}"))).collect()
}

fn focus(model: &susurro_tui::app::Model) -> Focus {
    model.home().unwrap().focus
}

fn shown(model: &mut susurro_tui::app::Model) -> String {
    let (columns, rows) = model.size;
    text(&screen(model, columns, rows))
}

// The composer

#[test]
fn enter_sends_and_alt_enter_shift_enter_and_ctrl_j_do_not() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "one");
    assert_eq!(press(&mut model, "Alt-Enter"), []);
    write(&mut model, "two");
    assert_eq!(press(&mut model, "Shift-Enter Ctrl-J"), []);
    write(&mut model, "four");
    assert_eq!(press(&mut model, "Enter"), [send("one\ntwo\n\nfour", 1)]);
    assert_eq!(composer(&model), "");
}

#[test]
fn paste_never_sends_and_stays_text() {
    let mut model = talk(Trust::Unverified, vec![]);
    let effects = update(&mut model, Msg::Paste("/quit\r\nline two\rline three\n\x1b[31m".to_owned()));
    assert_eq!(effects, []);
    assert_eq!(composer(&model), "/quit\nline two\nline three\n[31m");
}

#[test]
fn paste_goes_into_the_composer_wherever_the_keys_go() {
    let mut model = talk(Trust::Unverified, vec![]);
    press(&mut model, "Esc Esc");
    assert_eq!(focus(&model), Focus::List);
    assert_eq!(update(&mut model, Msg::Paste("q\n\n".to_owned())), []);
    assert_eq!((focus(&model), composer(&model).as_str()), (Focus::Composer, "q\n\n"));
}

#[test]
fn nothing_but_blanks_is_not_sent_and_not_lost() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "  ");
    assert_eq!(press(&mut model, "Enter"), []);
    assert_eq!(composer(&model), "  ");
}

#[test]
fn an_unknown_word_with_a_slash_is_never_sent() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "/mgs carol secret");
    assert_eq!(press(&mut model, "Enter"), []);
    assert_eq!(composer(&model), "/mgs carol secret");
    assert!(model.notice.as_ref().unwrap().text.contains("//mgs"));
    press(&mut model, "Home");
    write(&mut model, "/");
    assert_eq!(press(&mut model, "Enter"), [send("/mgs carol secret", 1)]);
}

#[test]
fn a_known_word_with_a_slash_is_a_command() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "/verify");
    assert_eq!(press(&mut model, "Enter"), [Effect::LoadSafety(name("bob"))]);
    assert!(matches!(model.overlay, Some(Overlay::Verify(_))));
    press(&mut model, "Esc");
    write(&mut model, "/new carol");
    assert_eq!(press(&mut model, "Enter"), [Effect::StartChat("carol".to_owned())]);
    assert_eq!(composer(&model), "");
}

#[test]
fn a_text_over_the_limit_stays_in_the_composer() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = update(&mut model, Msg::Paste("x".repeat(susurro_protocol::limits::TEXT_MAX + 1)));
    assert_eq!(press(&mut model, "Enter"), []);
    assert_eq!(composer(&model).len(), susurro_protocol::limits::TEXT_MAX + 1);
    assert!(model.notice.as_ref().unwrap().bad);
}

#[test]
fn a_text_that_could_not_be_queued_comes_back_before_what_was_typed_since() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "first");
    press(&mut model, "Enter");
    write(&mut model, "second");
    let effects = update(&mut model, Msg::SendFailed { ticket: 1, error: Error::Io("disk full".to_owned()) });
    assert_eq!(composer(&model), "first\nsecond");
    assert_eq!(effects, [Effect::SaveDraft { peer: name("bob"), text: "first\nsecond".to_owned() }]);
    assert!(model.notice.as_ref().unwrap().text.contains("disk full"));
}

// Drafts

#[test]
fn a_draft_is_kept_for_each_conversation() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0), chat("carol", Trust::Unverified, 0)]);
    press(&mut model, "Enter");
    write(&mut model, "for bob");
    let effects = press(&mut model, "Alt-Down");
    assert!(effects.contains(&Effect::SaveDraft { peer: name("bob"), text: "for bob".to_owned() }), "{effects:?}");
    assert_eq!(model.conversation().unwrap().peer, name("carol"));
    assert_eq!(composer(&model), "");
    write(&mut model, "for carol");
    press(&mut model, "Alt-Up");
    assert_eq!(composer(&model), "for bob");
    press(&mut model, "Alt-Down");
    assert_eq!(composer(&model), "for carol");
}

#[test]
fn a_draft_becomes_durable_within_a_second_and_before_leaving() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "hal");
    let draft = |text: &str| Effect::SaveDraft { peer: name("bob"), text: text.to_owned() };
    assert_eq!(update(&mut model, Msg::Tick(NOW + 1)), [draft("hal")]);
    assert_eq!(update(&mut model, Msg::Tick(NOW + 2)), [], "what did not change is not kept again");
    write(&mut model, "f");
    assert_eq!(press(&mut model, "Ctrl-Q"), [draft("half"), Effect::Quit]);
}

#[test]
fn the_kept_draft_goes_only_after_the_text_is_in_the_outbox() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "hello");
    let _ = update(&mut model, Msg::Tick(NOW + 1));
    assert_eq!(press(&mut model, "Enter"), [send("hello", 1)]);
    assert_eq!(update(&mut model, Msg::Tick(NOW + 2)), [], "the draft is the only durable copy until then");
    let effects = update(&mut model, Msg::Sent { ticket: 1, message: id(1) });
    assert_eq!(effects, [Effect::SaveDraft { peer: name("bob"), text: String::new() }]);
}

#[test]
fn a_kept_draft_does_not_overwrite_what_was_typed_meanwhile() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0)]);
    assert!(press(&mut model, "Enter").contains(&Effect::LoadDraft(name("bob"))));
    let _ = update(&mut model, Msg::Draft { peer: name("bob"), text: "kept".to_owned() });
    assert_eq!(composer(&model), "kept");
    write(&mut model, "!");
    let _ = update(&mut model, Msg::Draft { peer: name("bob"), text: "late".to_owned() });
    assert_eq!(composer(&model), "kept!");
}

#[test]
fn a_text_that_failed_after_leaving_its_conversation_becomes_its_draft() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0), chat("carol", Trust::Unverified, 0)]);
    press(&mut model, "Enter");
    write(&mut model, "to bob");
    press(&mut model, "Enter Alt-Down");
    let effects = update(&mut model, Msg::SendFailed { ticket: 1, error: Error::Closed });
    assert_eq!(effects, [Effect::SaveDraft { peer: name("bob"), text: "to bob".to_owned() }]);
    assert_eq!(composer(&model), "");
    press(&mut model, "Alt-Up");
    assert_eq!(composer(&model), "to bob");
}

// Unread and read

#[test]
fn unread_messages_are_counted_in_closed_conversations_only() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0), chat("carol", Trust::Unverified, 0)]);
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi"))), []);
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(2, 0, "there"))), []);
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 2);
    press(&mut model, "Enter");
    let effects = update(&mut model, window(vec![from_bob(1, 0, "hi"), from_bob(2, 0, "there")], false));
    assert_eq!(effects, [Effect::MarkRead { peer: name("bob"), up_to: 2 }]);
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 0);
    let effects = event(&mut model, ClientEvent::Message(from_bob(3, 0, "again")));
    assert_eq!(effects, [Effect::MarkRead { peer: name("bob"), up_to: 3 }]);
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 0);
}

#[test]
fn a_message_told_twice_is_counted_and_shown_once() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0), chat("carol", Trust::Unverified, 0)]);
    press(&mut model, "Down Enter");
    let _ = event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi")));
    press(&mut model, "Alt-Up");
    let _ = update(&mut model, window(vec![from_bob(1, 0, "hi")], false));
    let _ = event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi")));
    assert_eq!(model.conversation().unwrap().messages.len(), 1);
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 0);
}

#[test]
fn nothing_counts_as_read_in_a_window_that_nobody_looks_at() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = update(&mut model, Msg::Focus(false));
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi"))), []);
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 1);
    let effects = update(&mut model, Msg::Focus(true));
    assert_eq!(effects, [Effect::MarkRead { peer: name("bob"), up_to: 1 }]);
    assert_eq!(model.conversation().unwrap().first_new, Some(id(1)), "and what came is marked");
}

#[test]
fn every_change_of_size_draws_anew_even_one_that_changes_nothing() {
    let mut model = talk(Trust::Unverified, vec![]);
    let (columns, rows) = model.size;
    assert_eq!(update(&mut model, Msg::Resize(columns, rows)), [Effect::Redraw]);
}

#[test]
fn nothing_counts_as_read_while_a_narrow_window_shows_the_list() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = update(&mut model, Msg::Resize(40, 15));
    press(&mut model, "Esc Esc");
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi"))), []);
    assert_eq!(press(&mut model, "Enter"), [Effect::MarkRead { peer: name("bob"), up_to: 1 }]);
}

#[test]
fn nothing_counts_as_read_under_a_window() {
    let mut model = talk(Trust::Unverified, vec![]);
    press(&mut model, "F4");
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi"))), []);
    assert_eq!(press(&mut model, "Esc"), [Effect::MarkRead { peer: name("bob"), up_to: 1 }]);
}

#[test]
fn nothing_counts_as_read_while_somebody_reads_further_up() {
    let mut model = talk(Trust::Unverified, many(60));
    press(&mut model, "PgUp");
    assert_eq!(event(&mut model, ClientEvent::Message(from_bob(61, 0, "new"))), []);
    assert_eq!(model.conversation().unwrap().first_new, Some(id(61)));
    assert_eq!(press(&mut model, "Ctrl-End"), [Effect::MarkRead { peer: name("bob"), up_to: 61 }]);
}

#[test]
fn a_list_that_was_read_earlier_does_not_bring_unread_messages_back() {
    let mut model = talk(Trust::Unverified, vec![from_bob(1, 0, "hi")]);
    let _ = update(&mut model, Msg::Chats(vec![chat("bob", Trust::Unverified, 1)]));
    assert_eq!(model.home().unwrap().chat(&name("bob")).unwrap().unread, 0);
}

#[test]
fn the_next_unread_conversation_opens_with_a_key() {
    let mut model = home(vec![
        chat("bob", Trust::Unverified, 0),
        chat("carol", Trust::Unverified, 2),
        chat("dave", Trust::Unverified, 1),
    ]);
    press(&mut model, "F6");
    assert_eq!(model.conversation().unwrap().peer, name("carol"));
    press(&mut model, "Alt-U");
    assert_eq!(model.conversation().unwrap().peer, name("dave"));
}

#[test]
fn the_conversation_with_the_newest_message_moves_to_the_top_and_the_cursor_stays_with_its_line() {
    let mut model = home(vec![chat("alan", Trust::Unverified, 0), chat("bob", Trust::Unverified, 0)]);
    assert_eq!(model.home().unwrap().selected, Some(name("alan")));
    let _ = event(&mut model, ClientEvent::Message(from_bob(1, 0, "hi")));
    let home = model.home().unwrap();
    assert_eq!(home.list()[0].contact.name, name("bob"));
    assert_eq!((home.selected.clone(), home.selected_index()), (Some(name("alan")), Some(1)));
}

// Delivery

#[test]
fn delivery_moves_forward_on_the_screen() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = event(&mut model, ClientEvent::Message(from_me(1, 0, "hi", Delivery::Queued)));
    for (delivery, word) in
        [(Delivery::Accepted, " ✓ accepted"), (Delivery::Stored, "✓✓ stored"), (Delivery::Read, "● read")]
    {
        assert!(!shown(&mut model).contains(word));
        let _ = event(&mut model, ClientEvent::Delivery { peer: name("bob"), message: id(1), delivery });
        assert!(shown(&mut model).contains(word));
    }
}

#[test]
fn a_failed_message_says_why_and_can_be_sent_again() {
    let failed = Delivery::Failed(ErrorCode::MailboxFull);
    let mut model = talk(Trust::Unverified, vec![from_me(1, 1, "hi", failed), from_bob(2, 0, "yes?")]);
    assert!(shown(&mut model).contains("mailbox is full"));
    assert_eq!(press(&mut model, "Alt-R"), [Effect::Retry(id(1))]);
    press(&mut model, "Esc");
    assert_eq!(press(&mut model, "r"), [], "the message with the cursor did not fail");
    assert_eq!(press(&mut model, "Up r"), [Effect::Retry(id(1))]);
}

// Files

#[test]
fn a_file_is_fetched_when_it_is_asked_for_and_never_before() {
    let mut model =
        talk(Trust::Unverified, vec![message(1, 2, file("plan.pdf", 5_000_000), None), from_bob(2, 0, "look")]);
    assert!(shown(&mut model).contains("plan.pdf, 4.8 MiB: Alt-S saves it"));
    let save = |to: &str| Effect::Save { message: id(1), to: to.to_owned() };
    assert_eq!(press(&mut model, "Alt-S"), [save("")], "the newest one");
    write(&mut model, "/save ~/plans/a b.pdf");
    assert_eq!(press(&mut model, "Enter"), [save("~/plans/a b.pdf")]);
    let _ = update(&mut model, Msg::Saved("/home/alice/plans/a b.pdf".to_owned()));
    assert!(shown(&mut model).contains("Saved: /home/alice/plans/a b.pdf"));
    press(&mut model, "Esc");
    assert_eq!(press(&mut model, "s"), [], "the message with the cursor has no file");
    assert_eq!(press(&mut model, "Up s"), [save("")]);
}

#[test]
fn how_far_a_file_is_shows_until_it_is_there_or_has_failed() {
    let mine = message(2, 1, file("photo.jpg", 300), Some(Delivery::Queued));
    let mut model = talk(Trust::Unverified, vec![message(1, 2, file("plan.pdf", 5_000_000), None), mine]);
    assert!(shown(&mut model).contains("photo.jpg, 300 B"));
    assert_eq!(shown(&mut model).matches("Alt-S").count(), 1, "one's own file is here already");
    let transfer = |message, done| ClientEvent::Transfer { peer: name("bob"), message, done, size: 4000 };
    let _ = event(&mut model, transfer(id(1), 1000));
    let _ = event(&mut model, transfer(id(2), 3999));
    assert!(shown(&mut model).contains("plan.pdf, 4.8 MiB: 25 %"));
    assert!(shown(&mut model).contains("photo.jpg, 300 B: 99 %"));
    let _ = event(&mut model, transfer(id(1), 4000));
    let delivery = Delivery::Failed(ErrorCode::BlobQuota);
    let _ = event(&mut model, ClientEvent::Delivery { peer: name("bob"), message: id(2), delivery });
    assert!(!shown(&mut model).contains(" %"));
    assert!(shown(&mut model).contains("all the room"), "{}", shown(&mut model));
    let _ = event(&mut model, transfer(id(1), 1000));
    let _ = update(&mut model, Msg::SaveFailed { message: id(1), error: Error::AttachmentGone });
    assert!(!shown(&mut model).contains(" %"));
    assert!(shown(&mut model).contains("Ask for it again"));
}

#[test]
fn a_file_is_sent_by_its_path_which_comes_back_when_it_cannot_be_sent() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "/attach");
    assert_eq!(press(&mut model, "Enter"), []);
    assert!(shown(&mut model).contains("/attach"), "it says what is missing");
    write(&mut model, "/attach ~/big file.iso");
    let path = "~/big file.iso".to_owned();
    assert_eq!(press(&mut model, "Enter"), [Effect::Attach { peer: name("bob"), path: path.clone() }]);
    assert_eq!(composer(&model), "");
    let too_large = || Error::FileTooLarge { bytes: 104_857_601, max: 104_857_600 };
    let failed = || Msg::AttachFailed { peer: name("bob"), path: path.clone(), error: too_large() };
    let _ = update(&mut model, failed());
    assert_eq!(composer(&model), "/attach ~/big file.iso", "nothing typed is lost");
    assert!(shown(&mut model).contains("100.0 MiB"));
    // What was typed since stays as well.
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "meanwhile");
    let _ = update(&mut model, failed());
    assert_eq!(composer(&model), "meanwhile");
}

#[test]
fn a_file_that_came_is_the_last_line_of_its_conversation() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0)]);
    let _ = event(&mut model, ClientEvent::Message(message(1, 0, file("plan.pdf", 5), None)));
    assert!(shown(&mut model).contains("plan.pdf"));
    assert_eq!(model.home().unwrap().list()[0].unread, 1);
}

#[test]
fn a_placeholder_that_could_be_read_after_all_is_replaced() {
    let placeholder = message(1, 0, MessageContent::Undecryptable(susurro_client_core::model::Cause::NoSession), None);
    let mut model = talk(Trust::Unverified, vec![placeholder]);
    assert!(shown(&mut model).contains("cannot be read"));
    let effects = event(&mut model, ClientEvent::Changed { peer: name("bob"), message: id(1) });
    assert!(effects.contains(&Effect::LoadMessage(id(1))));
    let _ = update(&mut model, Msg::Message(Box::new(from_bob(1, 0, "readable"))));
    assert!(shown(&mut model).contains("readable"));
    assert!(!shown(&mut model).contains("cannot be read"));
}

#[test]
fn messages_are_ordered_by_position_and_never_by_a_clock() {
    let mut model = talk(Trust::Unverified, vec![]);
    for (position, minutes_ago) in [(2, 9_000), (1, 0), (3, 50)] {
        let _ = event(&mut model, ClientEvent::Message(from_bob(position, minutes_ago, "x")));
    }
    let order: Vec<_> = model.conversation().unwrap().messages.iter().map(|m| m.position).collect();
    assert_eq!(order, [1, 2, 3]);
}

// Trust

#[test]
fn a_changed_verified_key_stops_sending_says_what_to_do_and_keeps_the_text() {
    let mut model = talk(Trust::Verified, vec![]);
    write(&mut model, "secret");
    let trust = Trust::ChangedAfterVerification;
    let _ = event(&mut model, ClientEvent::Trust { peer: name("bob"), trust });
    assert_eq!(press(&mut model, "Enter"), []);
    assert_eq!(composer(&model), "secret");
    assert!(model.notice.as_ref().unwrap().text.contains("F4"));
    assert!(shown(&mut model).contains("key changed, sending stopped"));
}

#[test]
fn a_changed_unverified_key_does_not_stop_sending() {
    let mut model = talk(Trust::Changed, vec![]);
    write(&mut model, "hi");
    assert_eq!(press(&mut model, "Enter"), [send("hi", 1)]);
}

#[test]
fn nothing_is_accepted_by_itself_and_verified_is_shown_only_after_it_is_kept() {
    let mut model = talk(Trust::ChangedAfterVerification, vec![]);
    assert_eq!(press(&mut model, "F4"), [Effect::LoadSafety(name("bob"))]);
    assert_eq!(press(&mut model, "c"), [], "there is nothing to compare yet");
    let _ = update(&mut model, Msg::Safety(safety(Trust::ChangedAfterVerification)));
    assert_eq!(press(&mut model, "Enter"), [], "Enter decides nothing");
    assert_eq!(
        press(&mut model, "c"),
        [Effect::SetVerified { peer: name("bob"), groups: safety(Trust::Verified).groups }]
    );
    assert_eq!(press(&mut model, "c"), [], "once");
    assert!(!shown(&mut model).contains("✓ verified"));
    let _ = update(&mut model, Msg::Safety(safety(Trust::Verified)));
    assert!(shown(&mut model).contains("✓ verified"));
}

#[test]
fn a_changed_key_can_be_accepted_but_only_a_changed_one() {
    let mut model = talk(Trust::Unverified, vec![]);
    press(&mut model, "F4");
    let _ = update(&mut model, Msg::Safety(safety(Trust::Unverified)));
    assert_eq!(press(&mut model, "a"), []);
    let _ = update(&mut model, Msg::Safety(safety(Trust::Changed)));
    assert_eq!(
        press(&mut model, "a"),
        [Effect::AcceptKey { peer: name("bob"), groups: safety(Trust::Changed).groups }]
    );
}

#[test]
fn a_key_that_changes_while_it_is_compared_brings_its_own_number() {
    let mut model = talk(Trust::Unverified, vec![]);
    press(&mut model, "F4");
    let _ = update(&mut model, Msg::Safety(safety(Trust::Unverified)));
    let effects = event(&mut model, ClientEvent::Trust { peer: name("bob"), trust: Trust::Changed });
    assert!(effects.contains(&Effect::LoadSafety(name("bob"))));
    assert_eq!(press(&mut model, "c"), [], "the old number can no longer be confirmed");
}

// The timeline

#[test]
fn only_a_window_is_loaded_and_scrolling_to_its_beginning_loads_the_one_before() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0)]);
    assert!(press(&mut model, "Enter").contains(&Effect::LoadWindow { peer: name("bob"), before: None }));
    let _ = update(&mut model, window((101..=160).map(|n| from_bob(n, 0, &format!("line {n}"))).collect(), true));
    let mut loads = Vec::new();
    for _ in 0..20 {
        loads.extend(press(&mut model, "PgUp"));
    }
    assert_eq!(loads, [Effect::LoadWindow { peer: name("bob"), before: Some(101) }], "once");
    let before = shown(&mut model);
    let older = (41..=100).map(|n| from_bob(n, 0, &format!("line {n}"))).collect();
    let msg = Msg::Window { peer: name("bob"), before: Some(101), messages: older, more: false };
    assert_eq!(update(&mut model, msg), []);
    assert_eq!(model.conversation().unwrap().older, Older::None);
    assert!(before.contains("line 101") && shown(&mut model).contains("line 101"), "the place is kept");
    press(&mut model, "PgUp");
    assert!(shown(&mut model).contains("line 95"));
}

#[test]
fn the_place_is_kept_when_messages_come_and_the_window_changes_its_size() {
    let mut model = talk(Trust::Unverified, (1..=60).map(|n| from_bob(n, 0, &format!("row {n}."))).collect());
    press(&mut model, "PgUp PgUp");
    let lowest = |model: &mut susurro_tui::app::Model| {
        let shown = shown(model);
        shown.lines().filter_map(|l| l.split_once("row ")).map(|(_, n)| n.to_owned()).next_back().unwrap()
    };
    let before = lowest(&mut model);
    for n in 61..=70 {
        let _ = event(&mut model, ClientEvent::Message(from_bob(n, 0, "row new.")));
    }
    assert_eq!(lowest(&mut model), before);
    let _ = update(&mut model, Msg::Resize(120, 40));
    assert_eq!(lowest(&mut model), before);
    let _ = update(&mut model, Msg::Resize(40, 15));
    assert_eq!(lowest(&mut model), before);
}

#[test]
fn scrolling_up_and_down_by_pages_comes_back_to_the_newest() {
    let mut model = talk(Trust::Unverified, many(80));
    for _ in 0..50 {
        press(&mut model, "PgUp");
    }
    assert!(shown(&mut model).contains("message 1"));
    for _ in 0..50 {
        press(&mut model, "PgDn");
    }
    assert_eq!(model.conversation().unwrap().scroll, Scroll::Bottom);
    assert!(shown(&mut model).contains("message 80"));
}

#[test]
fn the_cursor_of_the_timeline_visits_every_message_and_stays_on_the_screen() {
    let mut model = talk(Trust::Unverified, many(80));
    press(&mut model, "Esc");
    for n in (1..=80_u8).rev() {
        assert_eq!(model.selected_message(), Some(id(n)));
        let text = format!("▌ message {n}");
        assert!(shown(&mut model).lines().any(|line| line.ends_with(&text)), "{text}");
        press(&mut model, "Up");
    }
    for _ in 0..80 {
        press(&mut model, "Down");
    }
    assert_eq!(model.selected_message(), Some(id(80)));
    assert_eq!(model.conversation().unwrap().scroll, Scroll::Bottom);
}

#[test]
fn sending_goes_to_the_newest_message() {
    let mut model = talk(Trust::Unverified, many(80));
    press(&mut model, "PgUp PgUp");
    write(&mut model, "here");
    press(&mut model, "Enter");
    assert_eq!(model.conversation().unwrap().scroll, Scroll::Bottom);
}

#[test]
fn lost_events_are_made_up_for_by_reading_again() {
    let mut model = talk(Trust::Unverified, many(3));
    let effects = update(&mut model, Msg::Lagged);
    let window = Effect::LoadWindow { peer: name("bob"), before: None };
    assert_eq!(effects, [Effect::LoadChats, Effect::LoadAnnouncements, window]);
}

// Status

#[test]
fn the_status_counts_down_to_the_next_attempt() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = update(&mut model, Msg::Connection(Connection::Waiting { at: NOW + 7_000, trouble: Trouble::Lost }));
    assert!(shown(&mut model).contains("reconnecting in 7 s"));
    let _ = update(&mut model, Msg::Tick(NOW + 5_500));
    assert!(shown(&mut model).contains("reconnecting in 2 s"));
    assert_eq!(press(&mut model, "F5"), [Effect::GoOnline]);
}

#[test]
fn every_state_of_the_connection_says_so_in_words() {
    let mut model = talk(Trust::Unverified, vec![]);
    let mut seen = std::collections::BTreeSet::new();
    let troubles = [
        Trouble::Unreachable,
        Trouble::NotARelay,
        Trouble::GoingAway,
        Trouble::Overloaded,
        Trouble::Lost,
        Trouble::Superseded,
        Trouble::RelayKeyChanged,
        Trouble::LoggedOut,
    ];
    let mut states = vec![Connection::Offline, Connection::Connecting, Connection::Connected];
    states.extend(troubles.iter().cloned().map(Connection::Blocked));
    states.extend(troubles.map(|trouble| Connection::Waiting { at: NOW, trouble }));
    let count = states.len();
    for state in states {
        let _ = event(&mut model, ClientEvent::Connection(state));
        seen.insert(susurro_tui::app::words::status(&model).unwrap().0.word);
    }
    assert_eq!(seen.len(), count);
}

#[test]
fn a_failed_store_is_told_before_anything_else() {
    let mut model = talk(Trust::Unverified, vec![]);
    let _ = event(&mut model, ClientEvent::StoreFailed("disk full".to_owned()));
    assert!(shown(&mut model).contains("the local store failed (disk full)"));
}

// Windows and places

#[test]
fn help_opens_with_f1_while_writing_and_with_a_question_mark_elsewhere() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "?");
    assert!(model.overlay.is_none());
    assert_eq!(composer(&model), "?");
    press(&mut model, "F1");
    assert!(matches!(model.overlay, Some(Overlay::Help { .. })));
    press(&mut model, "Esc Esc ?");
    assert!(matches!(model.overlay, Some(Overlay::Help { .. })));
    assert!(shown(&mut model).contains("Keys: messages"));
}

#[test]
fn the_palette_opens_conversations_and_runs_commands() {
    let mut model = home(vec![chat("bob", Trust::Unverified, 0), chat("carol", Trust::Unverified, 0)]);
    press(&mut model, "Ctrl-P");
    write(&mut model, "car");
    press(&mut model, "Enter");
    assert_eq!(model.conversation().unwrap().peer, name("carol"));
    press(&mut model, "Ctrl-P");
    write(&mut model, "quit");
    assert_eq!(press(&mut model, "Enter"), [Effect::Quit]);
    assert!(model.quitting);
}

#[test]
fn a_new_conversation_keeps_the_name_and_says_what_is_wrong() {
    let mut model = home(vec![]);
    press(&mut model, "Ctrl-N");
    write(&mut model, "Bo");
    assert_eq!(press(&mut model, "Enter"), []);
    assert!(shown(&mut model).contains("small letters"));
    press(&mut model, "Backspace Backspace");
    write(&mut model, "bob");
    assert_eq!(press(&mut model, "Enter"), [Effect::StartChat("bob".to_owned())]);
    assert_eq!(press(&mut model, "Enter"), [], "asked once");
    let _ = update(&mut model, Msg::StartFailed(Error::UnknownPeer("bob".to_owned())));
    assert!(shown(&mut model).contains("Nobody on this relay is called bob"));
    press(&mut model, "Enter");
    let effects = update(&mut model, Msg::ChatStarted(name("bob")));
    assert!(effects.contains(&Effect::LoadWindow { peer: name("bob"), before: None }));
    assert_eq!(focus(&model), Focus::Composer);
    assert!(model.overlay.is_none());
}

#[test]
fn tab_and_escape_move_between_the_parts_of_the_screen() {
    let mut model = talk(Trust::Unverified, many(3));
    assert_eq!(focus(&model), Focus::Composer);
    let after = |model: &mut susurro_tui::app::Model, key: &str| {
        press(model, key);
        focus(model)
    };
    assert_eq!(after(&mut model, "Tab"), Focus::List);
    assert_eq!(after(&mut model, "Tab"), Focus::Timeline);
    assert_eq!(after(&mut model, "Tab"), Focus::Composer);
    assert_eq!(after(&mut model, "Shift-Tab"), Focus::Timeline);
    assert_eq!(after(&mut model, "Esc"), Focus::List);
    assert_eq!(after(&mut model, "Esc"), Focus::Composer);
}

#[test]
fn a_signal_keeps_the_draft_and_quits() {
    let mut model = talk(Trust::Unverified, vec![]);
    write(&mut model, "half");
    let effects = update(&mut model, Msg::Terminate);
    assert_eq!(effects, [Effect::SaveDraft { peer: name("bob"), text: "half".to_owned() }, Effect::Quit]);
}

// First start

fn filled() -> susurro_tui::app::Model {
    let mut model = wizard();
    for (text, keys) in
        [("127.0.0.1:8080/", "Enter"), ("alice", "Enter"), ("correct horse", "Enter"), ("correct horse", "Enter")]
    {
        write(&mut model, text);
        press(&mut model, keys);
    }
    write(&mut model, "battery");
    press(&mut model, "Enter");
    write(&mut model, "battery");
    model
}

fn step(model: &susurro_tui::app::Model) -> Step {
    match &model.screen {
        Screen::Wizard(wizard) => wizard.step,
        _ => panic!("the first start is over"),
    }
}

#[test]
fn the_first_start_ends_with_one_registration() {
    let mut model = filled();
    let register = Effect::Register {
        relay: "http://127.0.0.1:8080".to_owned(),
        name: "alice".to_owned(),
        invite: Hidden::new(""),
        password: Hidden::new("correct horse"),
        passphrase: Hidden::new("battery"),
    };
    assert_eq!(press(&mut model, "Enter"), [register]);
    assert_eq!(press(&mut model, "Enter"), [], "once");
}

#[test]
fn each_error_leads_to_the_page_that_can_mend_it_and_keeps_what_was_typed() {
    for (error, expected) in [
        (Error::NotARelay { url: "x".to_owned() }, Step::Relay),
        (Error::NameTaken, Step::Name),
        (Error::BadName(IdError::NameLength), Step::Name),
        (Error::WeakPassword, Step::Password),
        (Error::ProfileExists, Step::Passphrase),
    ] {
        let mut model = filled();
        press(&mut model, "Enter");
        let _ = update(&mut model, Msg::OpenFailed(error));
        assert_eq!(step(&model), expected);
        let Screen::Wizard(wizard) = &model.screen else { panic!("left") };
        assert!(wizard.failure.is_some());
        assert_eq!((wizard.name.text(), wizard.password[0].text()), ("alice", "correct horse"));
        // Enter alone gets to the end again.
        let effects: Vec<_> = (0..6).flat_map(|_| press(&mut model, "Enter")).collect();
        assert!(matches!(effects[..], [Effect::Register { .. }]), "{effects:?}");
    }
}

#[test]
fn a_relay_that_wants_an_invite_gets_a_page_of_its_own() {
    let mut model = filled();
    press(&mut model, "Enter");
    let _ = update(&mut model, Msg::OpenFailed(Error::InvalidInvite));
    assert_eq!(step(&model), Step::Invite);
    assert_eq!(press(&mut model, "Enter"), [], "an empty invite is none");
    write(&mut model, "abcd-efgh");
    let effects = press(&mut model, "Enter");
    let [Effect::Register { invite, name, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((invite.expose(), name.as_str()), ("abcd-efgh", "alice"));
}

#[test]
fn bad_input_is_told_on_its_page() {
    let mut model = wizard();
    press(&mut model, "Enter");
    assert_eq!(step(&model), Step::Relay);
    write(&mut model, "ftp://relay");
    press(&mut model, "Enter");
    assert_eq!(step(&model), Step::Relay);
    press(&mut model, "Ctrl-U");
    write(&mut model, "relay.example");
    press(&mut model, "Enter");
    assert_eq!(step(&model), Step::Name);
    write(&mut model, "al");
    press(&mut model, "Enter");
    assert_eq!(step(&model), Step::Name);
    write(&mut model, "ice");
    press(&mut model, "Enter");
    write(&mut model, "short");
    press(&mut model, "Enter");
    write(&mut model, "short");
    press(&mut model, "Enter");
    assert_eq!(step(&model), Step::Password);
    press(&mut model, "Esc");
    assert_eq!(step(&model), Step::Name);
}

#[test]
fn a_wrong_passphrase_can_be_typed_again() {
    let mut model = unlock();
    write(&mut model, "wrong");
    assert_eq!(press(&mut model, "Enter"), [Effect::Unlock { passphrase: Hidden::new("wrong") }]);
    let _ = update(&mut model, Msg::OpenFailed(Error::WrongPassphrase));
    assert!(shown(&mut model).contains("Wrong passphrase"));
    write(&mut model, "right");
    assert_eq!(press(&mut model, "Enter"), [Effect::Unlock { passphrase: Hidden::new("right") }]);
}

#[test]
fn typing_is_told_at_most_once_a_second_and_not_for_a_command() {
    let mut model = talk(Trust::Unverified, vec![from_bob(1, 5, "hello")]);
    let typing = |typing| vec![Effect::Typing { peer: name("bob"), typing }];
    assert_eq!(press(&mut model, "h"), typing(true));
    assert_eq!(press(&mut model, "i"), [], "a moment later");
    let _ = update(&mut model, Msg::Tick(NOW + 1_000));
    assert_eq!(press(&mut model, "!"), typing(true));
    for _ in 0..2 {
        assert_eq!(press(&mut model, "Backspace"), []);
    }
    assert_eq!(press(&mut model, "Backspace"), typing(false), "nothing is left");
    for key in ["/", "h", "e"] {
        assert_eq!(press(&mut model, key), [], "a command is for nobody else");
    }
}

#[test]
fn presence_is_switched_by_a_command_that_says_what_it_is_now() {
    let mut model = talk(Trust::Unverified, vec![from_bob(1, 5, "hello")]);
    for (line, wanted) in [("/presence on", Some(true)), ("/presence off", Some(false)), ("/presence", None)] {
        write(&mut model, line);
        let effects = press(&mut model, "Enter");
        assert!(effects.contains(&Effect::SetPresence(wanted)), "{line}: {effects:?}");
    }
    write(&mut model, "/presence maybe");
    assert!(!press(&mut model, "Enter").iter().any(|effect| matches!(effect, Effect::SetPresence(_))));
    assert!(shown(&mut model).contains("Write /presence on or /presence off."));
    assert_eq!(update(&mut model, Msg::Presence(true)), []);
    assert!(shown(&mut model).contains("Your contacts see when you are here"));
}

#[test]
fn who_types_is_remembered_until_the_client_says_otherwise() {
    let mut model = talk(Trust::Unverified, vec![from_bob(1, 5, "hello")]);
    for typing in [true, false] {
        let told = Msg::Client(ClientEvent::Typing { peer: name("bob"), typing });
        assert_eq!(update(&mut model, told), []);
        assert_eq!(model.home().unwrap().typing.contains(&name("bob")), typing);
    }
}
