//! SaslHandshake and SaslAuthenticate: a client chooses a mechanism and shows who it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::constant_time;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::client::{Client, Gate, Identity, OWN_NAME};
use super::scram::{Challenge, Mechanism, Verifier};
use crate::frame::{FrameError, Request};
use crate::node::Node;

const PLAIN: &str = "PLAIN";
/// More than any mechanism needs.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// A wrong password is answered after this long, so that guessing takes its time.
const REFUSAL_DELAY: Duration = Duration::from_millis(200);

/// How far a client has come.
#[derive(Debug, Default)]
pub(crate) enum Progress {
    /// No mechanism is chosen.
    #[default]
    Begun,
    Plain,
    Scram(Mechanism),
    /// A SCRAM challenge is posed to this user, if there is one.
    Challenged(String, Challenge),
}

/// An answer, and whether the connection goes on after it.
pub(crate) struct Answer {
    pub(crate) response: Bytes,
    pub(crate) goes_on: bool,
}

/// Why a client is not who it says. Only the log is told.
struct Refusal {
    name: String,
    why: String,
}

/// Answers one of the two requests. The connection begins no other one until then.
pub(crate) async fn answer(
    node: &Node,
    client: &Client,
    progress: &mut Progress,
    mut request: Request,
) -> Result<Answer, FrameError> {
    if request.key == ApiKey::SaslHandshake {
        return choose(client, progress, &mut request);
    }
    let authenticate: SaslAuthenticateRequest = request.decode()?;
    let response = SaslAuthenticateResponse::default();
    if matches!(progress, Progress::Begun) {
        let response = response
            .with_error_code(ResponseError::IllegalSaslState.code())
            .with_error_message(Some(StrBytes::from_static_str("SaslHandshake has to come first")));
        return Ok(Answer { response: request.encode(&response)?, goes_on: false });
    }
    let token = &authenticate.auth_bytes;
    let stepped = if token.len() > TOKEN_BYTES_MAX {
        Err(Refusal { name: String::new(), why: "its message is too long".into() })
    } else {
        step(client, std::mem::take(progress), token).await
    };
    match stepped {
        Ok((next, token)) => {
            *progress = next;
            let response = response.with_auth_bytes(token.into());
            Ok(Answer { response: request.encode(&response)?, goes_on: true })
        }
        Err(Refusal { name, why }) => {
            node.counters.authentication_failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(peer = %client.peer, name, why, "authentication failed");
            tokio::time::sleep(REFUSAL_DELAY).await;
            let message = "authentication failed: no such user, or another password";
            let response = response
                .with_error_code(ResponseError::SaslAuthenticationFailed.code())
                .with_error_message(Some(StrBytes::from_static_str(message)));
            Ok(Answer { response: request.encode(&response)?, goes_on: false })
        }
    }
}

fn choose(client: &Client, progress: &mut Progress, request: &mut Request) -> Result<Answer, FrameError> {
    let handshake: SaslHandshakeRequest = request.decode()?;
    let offered = offered(client);
    let chosen = offered.iter().find(|name| **name == handshake.mechanism.as_str());
    let error = match chosen {
        Some(&PLAIN) => {
            *progress = Progress::Plain;
            0
        }
        Some(name) => {
            let mechanism = Mechanism::ALL.into_iter().find(|known| known.name() == *name);
            *progress = mechanism.map_or(Progress::Begun, Progress::Scram);
            0
        }
        // Nobody is asked here who they are.
        None if offered.is_empty() => ResponseError::IllegalSaslState.code(),
        None => ResponseError::UnsupportedSaslMechanism.code(),
    };
    let response = SaslHandshakeResponse::default()
        .with_error_code(error)
        .with_mechanisms(offered.into_iter().map(StrBytes::from_static_str).collect());
    Ok(Answer { response: request.encode(&response)?, goes_on: error == 0 })
}

/// A password is sent as it is with PLAIN, so that takes encryption.
fn offered(client: &Client) -> Vec<&'static str> {
    match &client.door.gate {
        Gate::Open => Vec::new(),
        Gate::Own { .. } => vec![PLAIN],
        Gate::Users(_) => {
            let plain = client.door.tls.is_some().then_some(PLAIN);
            Mechanism::ALL.into_iter().map(Mechanism::name).chain(plain).collect()
        }
    }
}

async fn step(client: &Client, progress: Progress, token: &[u8]) -> Result<(Progress, Vec<u8>), Refusal> {
    match progress {
        Progress::Begun => Ok((Progress::Begun, Vec::new())),
        Progress::Plain => plain(client, token).await.map(|()| (Progress::Begun, Vec::new())),
        Progress::Scram(mechanism) => {
            let refused =
                |error: super::scram::Refused| Refusal { name: String::new(), why: error.to_string() };
            let posed = Challenge::pose(token, |name| verifier_of(client, mechanism, name));
            let (name, challenge, message) = posed.map_err(refused)?;
            Ok((Progress::Challenged(name, challenge), message.into_bytes()))
        }
        Progress::Challenged(name, challenge) => match challenge.check(token) {
            Ok(message) => {
                client.identify(Identity::User(name));
                Ok((Progress::Begun, message.into_bytes()))
            }
            Err(error) => Err(Refusal { name, why: error.to_string() }),
        },
    }
}

fn verifier_of(client: &Client, mechanism: Mechanism, name: &str) -> Verifier {
    let known = match &client.door.gate {
        Gate::Users(file) => file.users().get(name).and_then(|user| user.verifier(mechanism)).cloned(),
        Gate::Open | Gate::Own { .. } => None,
    };
    known.unwrap_or_else(|| Verifier::of_nobody(mechanism, name, &client.door.secret))
}

/// RFC 4616: whom to act for, a name and a password, with zeros between.
async fn plain(client: &Client, token: &[u8]) -> Result<(), Refusal> {
    let message = std::str::from_utf8(token).unwrap_or_default();
    let parts: Vec<_> = message.split('\0').collect();
    let &[acts_for, name, password] = &parts[..] else {
        return Err(Refusal { name: String::new(), why: "its PLAIN message is malformed".into() });
    };
    let refusal = |why: &str| Refusal { name: name.to_owned(), why: why.to_owned() };
    if !acts_for.is_empty() && acts_for != name {
        return Err(refusal("it would act for another user"));
    }
    match &client.door.gate {
        Gate::Own { password: own } => {
            let fits = constant_time::verify_slices_are_equal(own.as_bytes(), password.as_bytes()).is_ok();
            if !fits || name != OWN_NAME {
                return Err(refusal("it is not this process"));
            }
            client.identify(Identity::Own);
        }
        Gate::Users(file) => {
            let verifier = file.users().get(name).and_then(|user| user.any_verifier().cloned());
            let verifier =
                verifier.unwrap_or_else(|| Verifier::of_nobody(Mechanism::Sha256, name, &client.door.secret));
            let password = Arc::<str>::from(password);
            // It takes some milliseconds of computing.
            let fits = tokio::task::spawn_blocking(move || verifier.fits(&password)).await;
            if !fits.unwrap_or(false) {
                return Err(refusal("no such user, or another password"));
            }
            client.identify(Identity::User(name.to_owned()));
        }
        Gate::Open => return Err(refusal("this listener does not ask who comes")),
    }
    Ok(())
}
