//! Plays the script: who says what, when Bob goes away, and when the relay dies. Nothing here waits
//! for a time; each step waits for what the step before has brought about.

use std::time::Duration;

use susurro_client_core::model::{Connection, Delivery, Direction, MessageContent};
use susurro_protocol::MessageId;
use tokio::sync::mpsc::UnboundedSender;

use super::people::{People, Who};
use super::relay::Relay;
use super::{DemoError, Show, Stage, script};

/// How long one message may take to arrive: the whole demonstration has a deadline as well.
const STEP: Duration = Duration::from_secs(60);

/// Messages of a conversation that are compared; far more than the script has.
const ALL: u32 = 1000;

/// What was said, in the order in which it was said.
type Said = Vec<(Who, &'static str, MessageId)>;

/// Plays everything, with `pace` before each message, then checks that it arrived. Gives the number of messages.
pub(crate) async fn play(
    people: &People,
    relay: &mut Relay,
    show: &UnboundedSender<Show>,
    pace: Duration,
) -> Result<usize, DemoError> {
    let mut play = Play { people, show, said: Vec::new(), pace };
    play.in_turn(script::FIRST).await?;

    people.bob.go_offline();
    people.until(Who::Bob, "to be offline", |now| *now == Connection::Offline).await?;
    play.stage(Stage::BobAway);
    let waiting = play.at_once(script::AWAY).await?;
    play.all(&waiting, Delivery::Accepted).await?;
    people.bob.go_online();
    play.stage(Stage::BobBack);
    play.all(&waiting, Delivery::Stored).await?;
    let burst = play.at_once(script::BACK).await?;
    play.all(&burst, Delivery::Stored).await?;

    relay.kill().await?;
    for who in [Who::Alice, Who::Bob] {
        people.until(who, "to notice that the relay is gone", |now| *now != Connection::Connected).await?;
    }
    play.stage(Stage::RelayKilled);
    let queued = play.at_once(script::DEAD).await?;
    relay.restart().await?;
    play.stage(Stage::RelayBack);
    for who in [Who::Alice, Who::Bob] {
        // They would try again by themselves; this saves the wait.
        people.client(who).go_online();
        people.until(who, "to be connected again", |now| *now == Connection::Connected).await?;
    }
    play.all(&queued, Delivery::Stored).await?;

    play.in_turn(script::LAST).await?;
    play.check().await?;
    Ok(play.said.len())
}

struct Play<'a> {
    people: &'a People,
    show: &'a UnboundedSender<Show>,
    said: Said,
    pace: Duration,
}

impl Play<'_> {
    fn stage(&self, stage: Stage) {
        let _ = self.show.send(Show::Stage(stage));
    }

    async fn say(&mut self, who: Who, text: &'static str) -> Result<(Who, MessageId), DemoError> {
        tokio::time::sleep(self.pace).await;
        let message = self.people.client(who).queue(who.other().name(), text).await?;
        self.said.push((who, text, message));
        let _ = self.show.send(Show::Said { from: who, text });
        Ok((who, message))
    }

    async fn in_turn(&mut self, lines: &[(Who, &'static str)]) -> Result<(), DemoError> {
        for (who, text) in lines {
            let message = self.say(*who, text).await?;
            self.all(&[message], Delivery::Stored).await?;
        }
        Ok(())
    }

    async fn at_once(&mut self, lines: &[(Who, &'static str)]) -> Result<Vec<(Who, MessageId)>, DemoError> {
        let mut messages = Vec::new();
        for (who, text) in lines {
            messages.push(self.say(*who, text).await?);
        }
        Ok(messages)
    }

    async fn all(&self, messages: &[(Who, MessageId)], state: Delivery) -> Result<(), DemoError> {
        for (who, message) in messages {
            self.people.client(*who).wait_for(*message, state, STEP).await.map_err(|error| {
                let text = self.said.iter().find(|(_, _, said)| said == message).map_or("", |(_, text, _)| text);
                DemoError::Wrong(format!("\"{text}\" from {} did not become {state:?}: {error}", who.name()))
            })?;
        }
        Ok(())
    }

    /// Compares both conversations with what was said.
    async fn check(&self) -> Result<(), DemoError> {
        for who in [Who::Alice, Who::Bob] {
            let views = self.people.client(who).timeline(who.other().name(), None, ALL).await?;
            let mut sent = Vec::new();
            let mut received = Vec::new();
            for view in &views {
                let text = match &view.content {
                    MessageContent::Text(text) => text.as_str(),
                    MessageContent::Note(_) => continue,
                    other => return Err(DemoError::Wrong(format!("{} cannot read a message: {other:?}", who.name()))),
                };
                match view.direction {
                    Direction::Incoming => received.push(text),
                    Direction::Outgoing if matches!(view.delivery, Delivery::Stored | Delivery::Read) => {
                        sent.push(text)
                    }
                    Direction::Outgoing => {
                        return Err(DemoError::Wrong(format!("\"{text}\" is only {:?}", view.delivery)));
                    }
                }
            }
            self.compare(who, "has sent", &sent, who)?;
            self.compare(who, "has received", &received, who.other())?;
        }
        Ok(())
    }

    fn compare(&self, who: Who, what: &str, found: &[&str], from: Who) -> Result<(), DemoError> {
        let expected: Vec<&str> = self.said.iter().filter(|(by, ..)| *by == from).map(|(_, text, _)| *text).collect();
        if found == expected {
            return Ok(());
        }
        Err(DemoError::Wrong(format!(
            "{} {what} {} messages, {} were expected; not once each and in order: {found:?}",
            who.name(),
            found.len(),
            expected.len()
        )))
    }
}
