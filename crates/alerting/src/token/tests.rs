//! Tokens: shown once, stored as a hash, good until revoked.

use std::collections::BTreeSet;

use super::*;
use crate::testing::tenant;

async fn control() -> Control {
    Control::in_memory().await.unwrap()
}

fn new(name: &str, role: Role, scope: Scope) -> NewToken {
    NewToken { name: Some(name.into()), role, scope, expires_at: None }
}

#[tokio::test]
async fn the_first_start_makes_an_administrator_and_no_other_does() {
    let control = control().await;
    let token = control.ensure_admin_token().await.unwrap().unwrap();
    assert!(is_well_formed(token.expose_secret()) && token.expose_secret().len() == 46);
    assert!(control.ensure_admin_token().await.unwrap().is_none());
    let principal = control.verify_token(token.expose_secret()).await.unwrap().unwrap();
    assert_eq!((principal.role, principal.scope), (Role::Admin, Scope::All));
    control.revoke_token("admin").await.unwrap();
    assert!(control.ensure_admin_token().await.unwrap().is_none(), "a revoked one is no invitation");
}

#[tokio::test]
async fn a_token_says_who_in_which_role_and_for_whom() {
    let control = control().await;
    let scope = Scope::Tenants(BTreeSet::from([tenant("prt_acme")]));
    let token = control.create_token(new("acme vector", Role::Shipper, scope.clone())).await.unwrap().0;
    let expected = Principal { name: "acme vector".into(), role: Role::Shipper, scope };
    for _ in 0..2 {
        assert_eq!(control.verify_token(token.expose_secret()).await.unwrap().as_ref(), Some(&expected));
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_nobody() {
    let control = control().await;
    let (token, _) = control.create_token(new("a", Role::Analyst, Scope::All)).await.unwrap();
    let good = token.expose_secret();
    let mut flipped = good.to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    for bad in ["", "wf_", &good[3..], &flipped, &format!("{good}x"), &good.to_uppercase(), "wf_' OR 1=1"] {
        assert_eq!(control.verify_token(bad).await.unwrap(), None, "{bad}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_its_name_is_free() {
    let control = control().await;
    let (token, _) = control.create_token(new("a", Role::Analyst, Scope::All)).await.unwrap();
    assert!(control.verify_token(token.expose_secret()).await.unwrap().is_some());
    assert!(matches!(
        control.create_token(new("a", Role::Analyst, Scope::All)).await,
        Err(ControlError::Invalid(_))
    ));
    assert!(control.revoke_token("a").await.unwrap());
    assert!(!control.revoke_token("a").await.unwrap());
    assert_eq!(control.verify_token(token.expose_secret()).await.unwrap(), None);
    control.create_token(new("a", Role::Analyst, Scope::All)).await.unwrap();
    assert_eq!(control.tokens().await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_token_itself_is_nowhere_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(&dir.path().join("control.db")).await.unwrap();
    let token = control.ensure_admin_token().await.unwrap().unwrap();
    control.close().await;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let secret = token.expose_secret().strip_prefix(TOKEN_PREFIX).unwrap().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    assert!(!format!("{token:?} {control:?}").contains(&token.expose_secret()[3..]));
}

#[tokio::test]
async fn a_token_is_revoked_by_its_id_and_no_name_can_pass_for_one() {
    let control = control().await;
    let (token, entry) =
        control.create_token(NewToken { name: None, ..new("", Role::Shipper, Scope::All) }).await.unwrap();
    assert!(entry.id.starts_with("tok_") && entry.name.starts_with("shipper-"), "{entry:?}");
    assert_eq!(control.tokens().await.unwrap(), std::slice::from_ref(&entry));
    let impostor = control.create_token(new(&entry.id, Role::Analyst, Scope::All)).await;
    assert!(matches!(impostor, Err(ControlError::Invalid(_))));
    assert!(control.revoke_token(&entry.id).await.unwrap());
    assert_eq!(control.verify_token(token.expose_secret()).await.unwrap(), None);
}

#[tokio::test]
async fn an_expired_token_is_nobody_and_its_name_is_free() {
    let control = control().await.with_clock(crate::testing::start);
    let until = crate::testing::start() + chrono::TimeDelta::hours(1);
    let passing = NewToken { expires_at: Some(until), ..new("a", Role::Analyst, Scope::All) };
    let (token, _) = control.create_token(passing.clone()).await.unwrap();
    let past = control.clone().with_clock(|| crate::testing::start() + chrono::TimeDelta::hours(2));
    assert_eq!(past.verify_token(token.expose_secret()).await.unwrap(), None);
    assert!(control.verify_token(token.expose_secret()).await.unwrap().is_some());
    assert!(matches!(past.create_token(passing.clone()).await, Err(ControlError::Invalid(_))));
    past.create_token(NewToken { expires_at: None, ..passing }).await.unwrap();
}
