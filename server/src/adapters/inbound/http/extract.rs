//! Extractors whose refusals are problems like all others.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use susurro_protocol::ErrorCode;
use susurro_protocol::objects::Objects;
use tokio::time::timeout;

use crate::adapters::inbound::problem::Failure;
use crate::adapters::inbound::serve::BodyPatience;
use crate::domain::Error;
use crate::domain::token::Claims;

/// A JSON body, in or out.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let patience = request.extensions().get::<BodyPatience>().map_or(Duration::MAX, |patience| patience.0);
        let read = axum::Json::<Objects<T>>::from_request(request, state);
        let Ok(read) = timeout(patience, read).await else {
            return Err(ErrorCode::IdleTimeout.into());
        };
        match read {
            Ok(axum::Json(Objects(value))) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(why)) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ErrorCode::TooLarge.into())
            }
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Error::invalid("the body has to be application/json").into())
            }
            // What the parser says names fields and positions, never values.
            Err(JsonRejection::JsonSyntaxError(_)) => Err(Error::invalid("the body is not JSON").into()),
            Err(JsonRejection::JsonDataError(_)) => {
                Err(Error::invalid("a field of the body is missing or has the wrong type").into())
            }
            Err(_) => Err(Error::invalid("the body cannot be read").into()),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query string.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|_| Error::invalid("the query string is malformed").into())
    }
}

/// The parts of the path. One that is not what it should be leads nowhere.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| ErrorCode::NotFound.into())
    }
}

/// Who is asking, put into the request by [`super::gate::authenticated`].
pub(super) struct Caller(pub(super) Claims);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let claims = parts.extensions.get::<Claims>().cloned();
        claims.map(Self).ok_or_else(|| ErrorCode::Unauthenticated.into())
    }
}
