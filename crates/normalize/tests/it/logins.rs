//! What applications of any kind write of logins is read, and what says something else is not.

use crate::feed::{event, read};

#[test]
fn what_an_unknown_application_says_of_logins_is_read_and_the_rest_only_where_it_is_named() {
    let login = "2026-03-14 09:26:53 WARN gate - Login failed for user 'dana' from 203.0.113.9";
    let other = "2026-03-14 09:26:53 INFO gate - started in 12 ms";
    let source = |line: &str, format: Option<&str>| {
        let read = read(line, format);
        read.events.rows().next().map(|row| format!("{} {}", row.source_format.unwrap(), row.action.unwrap()))
    };
    assert_eq!(source(login, None).as_deref(), Some("application login"));
    assert_eq!(source(other, None), None);
    assert_eq!(source(other, Some("application")).as_deref(), Some("application application.other"));
}

#[test]
fn what_says_nothing_of_a_login_is_none() {
    for line in [
        "2026-03-14 09:26:53 INFO mail - Failed to send the password reset mail to 203.0.113.9: timeout",
        "2026-03-14 09:26:53 INFO web - GET /login from 203.0.113.9 took 8 ms",
        "Mar 14 09:26:53 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in virtual mailbox table",
        "Mar 14 09:26:53 db mydb[7]: connection from 203.0.113.9 failed: too many clients",
    ] {
        let read = read(line, None);
        let logins = read.events.rows().filter(|row| row.action.as_deref() == Some("login")).count();
        assert_eq!(logins, 0, "{line}");
    }
}

#[test]
fn a_login_in_a_long_line_is_not_looked_for() {
    let line = format!("2026-03-14 09:26:53 {} login failed from 203.0.113.9", "login ".repeat(2_000));
    assert_eq!(read(&line, None).events.len(), 0);
}

#[test]
fn there_are_many_ways_to_say_that_a_login_failed() {
    for (line, user) in [
        (
            r#"time="2026-03-14T09:26:53Z" level=error msg="Unsuccessful 1FA authentication attempt by user 'dana'" error="user not found" method=POST path=/api/firstfactor remote_ip=203.0.113.9"#,
            Some("dana"),
        ),
        (
            r#"[2026-03-14 09:26:53.123][vault::identity][ERROR] Username or password is incorrect. Try again. IP: 203.0.113.9. Username: dana."#,
            Some("dana."),
        ),
        (
            r#"2026-03-14T09:26:53.123456Z 34 [Note] Access denied for user 'dana'@'203.0.113.9' (using password: YES)"#,
            Some("dana"),
        ),
        (
            r#"2026-03-14 09:26:53.47 Logon       Login failed for user 'dana'. Reason: Password did not match that for the login provided. [CLIENT: 203.0.113.9]"#,
            Some("dana"),
        ),
        (
            r#"2026-03-14 09:26:53.123 UTC [1234] user=dana,db=shop,client=203.0.113.9 FATAL:  password authentication failed for user "dana""#,
            Some("dana"),
        ),
        (
            r#"[2026-03-14 09:26:53] NOTICE[2245] chan.c: Registration from '"100" <sip:100@192.0.2.1>' failed for '203.0.113.9:5060' - Wrong password"#,
            None,
        ),
        (
            r#"[2026-03-14 09:26:53] SECURITY[2245] log.c: SecurityEvent="InvalidPassword",AccountID="100",RemoteAddress="IPV4/UDP/203.0.113.9/5060""#,
            None,
        ),
        (
            r#"Mar 14 09:26:53 pve console[1234]: authentication failure; rhost=::ffff:203.0.113.9 user=dana@pam msg=Authentication failure"#,
            None,
        ),
        (
            r#"[2026-03-14 09:26:53.123 +00:00] [INF] [59] Server.UserManager: Authentication request for "dana" has been denied (IP: "203.0.113.9")."#,
            Some("dana"),
        ),
        (
            r#"2026-03-14 09:26:53.123 Auth: [SMB2,(null)] user [ACME]\[dana] with [NTLMv2] status [NT_STATUS_WRONG_PASSWORD] workstation [X] remote host [ipv4:203.0.113.9:52123]"#,
            None,
        ),
        (
            r#"2026-03-14T09:26:53.187Z [AUTH] WARN: Incorrect username or password for user dana. IP=203.0.113.9"#,
            Some("dana"),
        ),
        (
            r#"2026/03/14 09:26:53 [I] Failed authentication attempt for dana from 203.0.113.9:41234: user does not exist"#,
            None,
        ),
        (
            r#"{"t":{"$date":"2026-03-14T09:26:53.123+00:00"},"c":"ACCESS","msg":"Authentication failed","attr":{"principalName":"dana","remote":"203.0.113.9:52123","error":"AuthenticationFailed"}}"#,
            None,
        ),
        (
            r#"{"type":"audit","timestamp":"2026-03-14T09:26:53,123+0000","event.action":"authentication_failed","user.name":"dana","origin.address":"203.0.113.9:52123"}"#,
            None,
        ),
        (
            r#"[Sat Mar 14 09:26:53.123456 2026] [auth_basic:error] [pid 7] [client 203.0.113.9:52123] AH01617: user dana: authentication failure for "/": Password Mismatch"#,
            Some("dana"),
        ),
        (
            r#"Mar 14 09:26:53 nas Connection: User [dana] from [203.0.113.9] failed to sign in to [DSM] via [password] due to authorization failure."#,
            Some("dana"),
        ),
        (
            r#"Mar 14 09:26:53 gw system,error,critical login failure for user dana from 203.0.113.9 via ssh"#,
            Some("dana"),
        ),
        (
            r#"2026-03-14 09:26:53,123 7 INFO shop odoo.addons.base.models.res_users: Login failed for db:shop login:dana from 203.0.113.9"#,
            None,
        ),
        (
            r#"{"level":"warning","timestamp":"2026-03-14T09:26:53.123","action":"login_failed","auth_via":"unauthenticated","client_ip":"203.0.113.9","context":{"username":"dana"}}"#,
            Some("dana"),
        ),
        (
            r#"Mar 14 09:26:53 mx ftp-server[7]: FAILED LOGIN (1) on '/dev/pts/0' from '203.0.113.9' FOR 'dana', Authentication failure"#,
            None,
        ),
        (
            r#"2026-03-14 09:26:53.123|WARN|query| client (id:3) 203.0.113.9:52123 attempted to login as "dana", wrong password"#,
            None,
        ),
    ] {
        let read = event(line);
        let row = read.events.row(0);
        let said = (row.action.as_deref(), row.outcome.as_deref(), row.src_ip.as_deref());
        assert_eq!(said, (Some("login"), Some("failure"), Some("203.0.113.9")), "{line}");
        assert!(user.is_none() || row.user_ref.as_deref() == user, "{line}: {:?}", row.user_ref);
    }
}
