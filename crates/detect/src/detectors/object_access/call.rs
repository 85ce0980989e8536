//! One call for one object.

use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use crate::episode::CELL_MS;
use crate::stable;
use crate::witness::{Witness, delivery};

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The account has no right to it.
    Forbidden,
    /// There is none, or it is not said that there is.
    Missing,
    /// Given.
    Given,
    /// Given, although it is another partner's.
    GivenOfAnother,
}

/// A call for one object.
pub(super) struct Call {
    pub(super) account: String,
    pub(super) time: EventTime,
    pub(super) delivery: u64,
    pub(super) fact: Fact,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    /// The day that it is counted with.
    pub(super) day: EventTime,
}

/// What is remembered of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Fact {
    pub(super) answer: Answer,
    /// A hash of route and object.
    pub(super) object: u64,
    /// A hash of the route and of the object's name without its number.
    pub(super) kind: u64,
    /// A hash of the partner whose it is, where that is another.
    pub(super) owner: Option<u64>,
    /// The number at the end of the object's name.
    pub(super) number: Option<u64>,
    pub(super) day: EventTime,
    /// Whether it was given and is told of.
    pub(super) is_found: bool,
    pub(super) witness: Arc<Witness>,
}

impl Call {
    /// What an observation tells; none where it is no call for one object, or was not answered.
    pub(super) fn new(o: &Observation<'_>, watermark: EventTime) -> Option<Self> {
        let (object, time) = (o.object.as_deref()?, o.time?);
        let account = match (o.api_key.as_deref(), o.user_ref.as_deref()) {
            (Some(key), _) => format!("k{key}"),
            (None, Some(user)) => format!("u{user}"),
            (None, None) => return None,
        };
        let tenant = o.tenant.as_deref()?;
        let is_anothers = o.object_owner.as_deref().is_some_and(|owner| owner != tenant);
        let answer = match o.status? {
            403 => Answer::Forbidden,
            404 => Answer::Missing,
            200..300 if is_anothers => Answer::GivenOfAnother,
            200..300 => Answer::Given,
            _ => return None,
        };
        let route = o.route.as_deref().unwrap_or_default();
        let digits = object.len() - object.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (name, number) = object.split_at(object.len() - digits.min(18));
        let late = time < watermark;
        let day = if late { watermark } else { time }.floor(CELL_MS);
        let said = match answer {
            Answer::Forbidden => "forbidden",
            Answer::Missing => "not found",
            Answer::Given => "given",
            Answer::GivenOfAnother => "another partner's, and given",
        };
        let fact = Fact {
            answer,
            object: stable::hash(&[route, object]),
            kind: stable::hash(&[route, name]),
            owner: o.object_owner.as_deref().filter(|_| is_anothers).map(|owner| stable::hash(&[owner])),
            number: number.parse().ok(),
            day,
            is_found: false,
            witness: Arc::new(Witness::new(o, format!("{object} {said}"))),
        };
        let ingested_at = o.ingest_time.unwrap_or_default();
        Some(Self { account, time, delivery: delivery(o), fact, ingested_at, late, day })
    }
}
