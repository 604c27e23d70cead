//! Errors as `application/problem+json` (RFC 9457), and the one table from codes to HTTP status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::Problem;

use crate::domain::Error;
use crate::domain::error::Mismatch;
use crate::metrics::metrics;

/// Seconds after which a client may try again what the relay could not do.
const RETRY_SECONDS: u64 = 2;

/// An error on its way out over HTTP.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let code = error.code();
        if code == ErrorCode::RateLimited {
            metrics().rate_limited("http");
        }
        if matches!(error, Error::Storage(_) | Error::Internal(_)) {
            tracing::error!(%error, "a request failed");
        }
        let Mismatch { stale, missing, extra } = match &error {
            Error::StaleDeviceList(mismatch) => Mismatch::clone(mismatch),
            _ => Mismatch::default(),
        };
        let status = status(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem {
            kind: format!("urn:susurro:error:{}", code.slug()),
            title: code.text().to_owned(),
            status: status.as_u16(),
            code,
            detail: error.detail().map(str::to_owned),
            stale,
            missing,
            extra,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(code, ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::TokenRevoked) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let retry = match error {
            Error::RateLimited(seconds) => Some(seconds),
            _ if code.is_temporary() && status.is_server_error() => Some(RETRY_SECONDS),
            _ => None,
        };
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The HTTP status of a code; `None` for codes of later versions.
pub(super) fn status(code: ErrorCode) -> Option<StatusCode> {
    use ErrorCode as C;
    Some(match code {
        C::MalformedFrame
        | C::UnsupportedVersion
        | C::BadTag
        | C::BadSequence
        | C::UnknownKind
        | C::MalformedBody
        | C::UnexpectedFrame
        | C::RelayKeyMismatch
        | C::InvalidRequest
        | C::InvalidName => StatusCode::BAD_REQUEST,
        C::BadSignature
        | C::Unauthenticated
        | C::TokenExpired
        | C::TokenRevoked
        | C::InvalidCredentials
        | C::StaleNonce => StatusCode::UNAUTHORIZED,
        C::UnknownDevice | C::Forbidden | C::AccountDisabled | C::RegistrationClosed | C::InvalidInvite => {
            StatusCode::FORBIDDEN
        }
        C::NotFound | C::UnknownChat | C::NoPrekeys => StatusCode::NOT_FOUND,
        C::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        C::HandshakeTimeout | C::IdleTimeout => StatusCode::REQUEST_TIMEOUT,
        C::Superseded
        | C::NameTaken
        | C::AccountExists
        | C::StaleDeviceList
        | C::MessageIdReused
        | C::ConfigConflict
        | C::BlobConflict => StatusCode::CONFLICT,
        C::FrameTooLarge | C::TooLarge | C::BlobQuota => StatusCode::PAYLOAD_TOO_LARGE,
        C::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        C::InvalidDeviceList | C::InvalidPrekeys => StatusCode::UNPROCESSABLE_ENTITY,
        C::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        C::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        C::StorageUnavailable | C::Overloaded | C::GoingAway => StatusCode::SERVICE_UNAVAILABLE,
        C::MailboxFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_http_status() {
        for code in ErrorCode::ALL {
            let status = status(*code);
            assert!(status.is_some_and(|status| status.is_client_error() || status.is_server_error()), "{code:?}");
        }
    }

    #[test]
    fn an_answer_never_carries_the_relays_own_troubles() {
        let response = Failure(Error::Storage("/var/lib/relay.db: disk full".to_owned())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(Error::Storage("/var/lib/relay.db".to_owned()).detail(), None);
    }
}
