//! The classes of failed-authentication findings, and what each says.

use event::Severity;

use crate::class::ClassInfo;

const fn class(
    class: &'static str,
    severity: Severity,
    techniques: &'static [&'static str],
    owasp_event: &'static str,
    description: &'static str,
) -> ClassInfo {
    ClassInfo {
        class,
        severity,
        description,
        techniques,
        owasp_api: Some("API2"),
        owasp_event: Some(owasp_event),
    }
}

pub(super) const FAST: ClassInfo = class(
    "auth.bruteforce.fast",
    Severity::Medium,
    &["T1110.001"],
    "authn_login_fail_max",
    "Many failures of one account from one network within seconds or minutes; low where it is only a \
         burst of a few logins.",
);
pub(super) const SLOW: ClassInfo = class(
    "auth.bruteforce.slow",
    Severity::Low,
    &["T1110.001"],
    "authn_login_fail_max",
    "Failures of one account minutes apart for hours: a patient guesser, or a client with an old \
         password; medium from three networks or more.",
);
pub(super) const DISTRIBUTED: ClassInfo = class(
    "auth.bruteforce.distributed",
    Severity::High,
    &["T1110"],
    "authn_login_fail_max",
    "Failures of one account from many networks; medium where fewer than three browsers are known.",
);
pub(super) const ADDRESS: ClassInfo = class(
    "auth.bruteforce.address",
    Severity::Medium,
    &["T1110.001"],
    "authn_login_fail_max",
    "Many failures from one address over several accounts, or over accounts that do not exist; low where it \
         is only a burst.",
);
pub(super) const SPRAY: ClassInfo = class(
    "auth.spray",
    Severity::High,
    &["T1110.003"],
    "authn_login_fail_max",
    "One address failing on many accounts whose owners do not then log in from it.",
);
pub(super) const STUFFING: ClassInfo = class(
    "auth.stuffing",
    Severity::High,
    &["T1110.004"],
    "authn_login_fail_max",
    "One address trying a great many accounts once or twice each.",
);
pub(super) const SUCCESS: ClassInfo = class(
    "auth.success_after_failures",
    Severity::Critical,
    &["T1078", "T1110"],
    "authn_login_successafterfail",
    "A success soon after many failures; critical if from where the failures came, low if from a \
         place the account is known to use, for the record where fewer than ten failures came from \
         there too.",
);

pub(super) const KEY_GUESS: ClassInfo = class(
    "auth.key_guess",
    Severity::High,
    &["T1110.001"],
    "authn_login_fail_max",
    "One address trying several API keys that do not exist.",
);
pub(super) const MALFORMED: ClassInfo = ClassInfo {
    class: "token.malformed",
    severity: Severity::Low,
    description: "One address presenting many session tokens that do not look like one: a client that cuts or \
                  encodes them, or a scanner; medium where there are very many.",
    techniques: &["T1110.001"],
    owasp_api: Some("API8"),
    owasp_event: Some("input_validation_fail"),
};

/// Every class.
pub const CLASSES: &[ClassInfo] =
    &[FAST, SLOW, DISTRIBUTED, ADDRESS, SPRAY, STUFFING, SUCCESS, KEY_GUESS, MALFORMED];
