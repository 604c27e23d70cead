//! `/chats/…`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::ChatId;
use susurro_protocol::rest::{AfterSeq, Chat, OpenChat, Page, PostMessage, PostedMessage, WaitingMessage};

use super::extract::{Caller, Json, Path, Query};
use crate::adapters::inbound::problem::Failure;
use crate::domain::message::Submission;
use crate::service::Relay;

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Query(query): Query<After>,
) -> Result<Json<Page<Chat>>, Failure> {
    Ok(Json(relay.chats(&claims, query.after.as_deref(), query.limit).await?))
}

pub(super) async fn open(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<OpenChat>,
) -> Result<(StatusCode, Json<Chat>), Failure> {
    let (chat, made) = relay.open_chat(&claims, &request.peer).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(chat)))
}

pub(super) async fn get(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
) -> Result<Json<Chat>, Failure> {
    Ok(Json(relay.chat(&claims, chat).await?))
}

pub(super) async fn messages(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Query(query): Query<AfterSeq>,
) -> Result<Json<Page<WaitingMessage>>, Failure> {
    Ok(Json(relay.chat_messages(&claims, chat, query.after, query.limit).await?))
}

pub(super) async fn send(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Json(post): Json<PostMessage>,
) -> Result<Json<PostedMessage>, Failure> {
    let PostMessage { message, lists, deposits, time_to_live } = post;
    let submission = Submission { message, chat, lists, deposits, time_to_live };
    let stored_at = relay.send(&claims, submission).await?.await?.accepted()?;
    Ok(Json(PostedMessage { message, stored_at }))
}
