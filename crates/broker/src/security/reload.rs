//! Certificates and users are read again when their files have changed.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Door, Gate};

/// Looks at the files now and then, for as long as the broker runs.
pub(crate) async fn watch(doors: Vec<Arc<Door>>, every: Duration) {
    let mut told = vec![Told::default(); doors.len()];
    loop {
        tokio::time::sleep(every).await;
        let doors = doors.clone();
        let looked = tokio::task::spawn_blocking(move || {
            doors.iter().zip(&mut told).for_each(|(door, told)| look(door, told));
            told
        });
        match looked.await {
            Ok(after) => told = after,
            Err(error) => {
                tracing::error!(%error, "reading certificates and users panicked; they stay as they are");
                return;
            }
        }
    }
}

/// What is wrong is said once, and again when it changes.
#[derive(Debug, Clone, Default)]
struct Told {
    tls: Option<String>,
    users: Option<String>,
}

fn look(door: &Door, told: &mut Told) {
    if let Some(tls) = &door.tls {
        report(tls.reload(), "certificates", &mut told.tls);
    }
    if let Gate::Users(file) = &door.gate {
        report(file.reload(), "users", &mut told.users);
    }
}

fn report<E: std::fmt::Display>(reloaded: Result<bool, E>, what: &str, told: &mut Option<String>) {
    match reloaded {
        Ok(true) => {
            tracing::info!(what, "read again: the files have changed");
            *told = None;
        }
        Ok(false) => *told = None,
        Err(error) => {
            let error = error.to_string();
            if told.as_ref() != Some(&error) {
                tracing::error!(what, %error, "cannot be read again; the former ones stay in use");
                *told = Some(error);
            }
        }
    }
}
