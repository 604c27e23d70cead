//! The way to the certificate authority.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::AcmeError;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a request; they are small.
const REQUEST_MAX: usize = 256 * 1024;

struct Client(reqwest::Client);

/// A client that trusts what this machine trusts, and the authority with the certificate in `ca`.
pub(super) fn client(ca: Option<&Path>) -> Result<Box<dyn HttpClient>, AcmeError> {
    let unusable = |why: reqwest::Error| AcmeError::Certificate(why.to_string());
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).https_only(true);
    if let Some(ca) = ca {
        let certificates = reqwest::Certificate::from_pem_bundle(&super::read(ca)?).map_err(unusable)?;
        builder = builder.tls_certs_merge(certificates);
    }
    Ok(Box::new(Client(builder.build().map_err(unusable)?)))
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Other(error.into())
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(Body::new(body), REQUEST_MAX).await.map_err(other)?;
            let asked = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = asked.send().await.map_err(other)?;
            let mut response = Response::new(());
            *response.status_mut() = answer.status();
            response.headers_mut().clone_from(answer.headers());
            let body = answer.bytes().await.map_err(other)?;
            Ok(BytesResponse { parts: response.into_parts().0, body: Box::new(body) })
        })
    }
}
