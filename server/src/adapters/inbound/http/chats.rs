//! `/chats/…`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::ChatId;
use susurro_protocol::rest::{
    AcknowledgeMessages, AfterSeq, Chat, ChatConfig, ConfigureChat, OpenChat, Page, PostMessage, PostedMessage,
    WaitingMessage,
};

use utoipa::IntoParams;

use super::extract::{Caller, Json, Path, Query};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::domain::message::Submission;
use crate::metrics::metrics;
use crate::service::Relay;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// `next` of the page before: a chat.
    #[param(value_type = Option<ChatId>)]
    after: Option<String>,
    /// At most this many, up to 100, and 100 when left out; other numbers are taken to the nearer end.
    #[serde(default, deserialize_with = "susurro_protocol::rest::nearest_limit")]
    #[param(schema_with = susurro_protocol::openapi::whole_number, required = false)]
    limit: Option<u32>,
}

/// The chats of the account.
#[utoipa::path(
    get,
    path = "/chats",
    tag = "chats",
    params(After),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<Chat>),
        refusals::Found
    )
)]
pub(super) async fn list(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Query(query): Query<After>,
) -> Result<Json<Page<Chat>>, Failure> {
    Ok(Json(relay.chats(&claims, query.after.as_deref(), query.limit).await?))
}

/// The direct chat with another account.
#[utoipa::path(
    post,
    path = "/chats",
    tag = "chats",
    request_body = OpenChat,
    security(("token" = [])),
    responses(
        (status = 200, description = "The chat, which was there before.", body = Chat),
        (status = 201, description = "The chat, made by this.", body = Chat),
        refusals::OpenChat
    )
)]
pub(super) async fn open(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<OpenChat>,
) -> Result<(StatusCode, Json<Chat>), Failure> {
    let (chat, made) = relay.open_chat(&claims, &request.peer).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(chat)))
}

/// One chat of the account.
#[utoipa::path(
    get,
    path = "/chats/{chat}",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "The chat.", body = Chat),
        refusals::Chat
    )
)]
pub(super) async fn get(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
) -> Result<Json<Chat>, Failure> {
    Ok(Json(relay.chat(&claims, chat).await?))
}

/// Changes the configuration of a chat, from the version that the caller knows.
#[utoipa::path(
    patch,
    path = "/chats/{chat}/config",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat.")),
    request_body = ConfigureChat,
    security(("token" = [])),
    responses(
        (status = 200, description = "The configuration as it is now.", body = ChatConfig),
        refusals::Configure
    )
)]
pub(super) async fn configure(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Json(change): Json<ConfigureChat>,
) -> Result<Json<ChatConfig>, Failure> {
    Ok(Json(relay.configure_chat(&claims, chat, &change).await?))
}

/// Leaves a chat, until one of its members opens it again.
#[utoipa::path(
    delete,
    path = "/chats/{chat}",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat.")),
    security(("token" = [])),
    responses(
        (status = 204, description = "The chat was left."),
        refusals::Chat
    )
)]
pub(super) async fn leave(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
) -> Result<StatusCode, Failure> {
    relay.leave_chat(&claims, chat).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What waits for this device in a chat. Reading acknowledges nothing.
#[utoipa::path(
    get,
    path = "/chats/{chat}/messages",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat."), AfterSeq),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<WaitingMessage>),
        refusals::Sought
    )
)]
pub(super) async fn messages(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Query(query): Query<AfterSeq>,
) -> Result<Json<Page<WaitingMessage>>, Failure> {
    Ok(Json(relay.chat_messages(&claims, chat, query.after, query.limit).await?))
}

/// Forgets what this device has made durable of a chat, up to a position.
#[utoipa::path(
    post,
    path = "/chats/{chat}/messages/ack",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat.")),
    request_body = AcknowledgeMessages,
    security(("token" = [])),
    responses(
        (status = 204, description = "They are forgotten, durably."),
        refusals::Acknowledge
    )
)]
pub(super) async fn acknowledge(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Json(request): Json<AcknowledgeMessages>,
) -> Result<StatusCode, Failure> {
    relay.acknowledge_chat(&claims, chat, &request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a message, as `Send` does over the WebSocket.
#[utoipa::path(
    post,
    path = "/chats/{chat}/messages",
    tag = "chats",
    params(("chat" = ChatId, Path, description = "The chat.")),
    request_body = PostMessage,
    security(("token" = [])),
    responses(
        (status = 200, description = "The message is durable.", body = PostedMessage),
        refusals::Send
    )
)]
pub(super) async fn send(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(chat): Path<ChatId>,
    Json(post): Json<PostMessage>,
) -> Result<Json<PostedMessage>, Failure> {
    let PostMessage { message, lists, deposits, time_to_live } = post;
    let submission = Submission { message, chat, lists, deposits, time_to_live };
    relay.pace_request(&claims, submission.deposits.iter().map(|deposit| deposit.ciphertext.len()).sum())?;
    let stored = async { relay.send(&claims, submission).await?.await?.accepted() }.await;
    match &stored {
        Ok(_) => {
            metrics().stored.inc();
        }
        Err(refused) => metrics().rejected(refused.code()),
    }
    Ok(Json(PostedMessage { message, stored_at: stored? }))
}
