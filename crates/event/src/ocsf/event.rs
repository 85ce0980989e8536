//! An event as an OCSF object of its class.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Object, VERSION, classify, severity};
use crate::{EventRow, EventTime};

const AUTHENTICATION: i32 = 3002;
const ENTITY_MANAGEMENT: i32 = 3004;
const HTTP_ACTIVITY: i32 = 4002;
const API_ACTIVITY: i32 = 6003;
const EVENT_LOG_ACTIVITY: i32 = 1008;
const BASE_EVENT: i32 = 0;
/// What we write events as; another class, as OCSF that came in may have, is kept as a base event.
const CLASSES: [i32; 5] =
    [AUTHENTICATION, ENTITY_MANAGEMENT, HTTP_ACTIVITY, API_ACTIVITY, EVENT_LOG_ACTIVITY];

/// The methods that OCSF knows; another is kept in `unmapped`.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A session token is none of the kinds that OCSF lists.
const SESSION_TOKEN: (i32, &str) = (99, "Partner Session Token");
const API_TOKEN: (i32, &str) = (7, "API Token");

/// The event as an object that OCSF 1.8.0 calls valid. What its class has no place for is in
/// `unmapped`, beside what the source said that no column holds.
pub fn of_event(row: &EventRow<'_>) -> Value {
    let said = row.class_uid.unwrap_or_default();
    // An HTTP activity that tells of neither request nor answer is none.
    let is_http = said != HTTP_ACTIVITY || has_http(row);
    let class = if CLASSES.contains(&said) && is_http { said } else { BASE_EVENT };
    let mut maker = Maker { row, class, unmapped: unmapped(row) };
    maker.unmapped.set("class_uid", (class != said).then_some(said));
    let mut object = Object::default();
    classify(&mut object, maker.class, row.activity_id.unwrap_or_default());
    severity(&mut object, row.severity.unwrap_or_default());
    object
        .set("time", row.time.map(EventTime::millis))
        .set("message", row.message.as_deref())
        .set("status_code", row.reason.as_deref())
        .set("raw_data", row.raw.as_deref())
        .nest("raw_data_hash", maker.raw_hash());
    if let Some((id, status)) = maker.status() {
        object.set("status_id", Some(id)).set("status", Some(status));
    }
    maker.who(&mut object);
    maker.what(&mut object);
    maker.http(&mut object);
    let metadata = maker.metadata(&object);
    object.nest("metadata", metadata).nest("unmapped", maker.unmapped);
    Value::Object(object.0)
}

/// Whether anything of a request or its answer is known.
fn has_http(row: &EventRow<'_>) -> bool {
    let texts = [&row.method, &row.path, &row.host, &row.scheme, &row.query_redacted];
    let others = [&row.user_agent, &row.referrer_host, &row.request_id];
    texts.iter().chain(&others).any(|text| text.is_some()) || row.bytes_in.is_some() || row.status.is_some()
}

struct Maker<'r, 'a> {
    row: &'r EventRow<'a>,
    class: i32,
    unmapped: Object,
}

impl Maker<'_, '_> {
    fn status(&self) -> Option<(i32, &'static str)> {
        match self.row.outcome.as_deref()? {
            "success" => Some((1, "Success")),
            "failure" => Some((2, "Failure")),
            _ => Some((99, "Other")),
        }
    }

    /// A keyed hash where anything was taken out of the line or from around it.
    fn raw_hash(&self) -> Object {
        let mut hash = Object::default();
        if let Some(value) = &self.row.raw_hash {
            let is_plain = self.row.redactions.is_empty()
                && !self.row.unmapped.as_deref().is_some_and(|rest| rest.contains("\"wrapper."));
            let (id, name) = if is_plain { (3, "SHA-256") } else { (99, "HMAC-SHA-256") };
            hash.set("algorithm_id", Some(id))
                .set("algorithm", Some(name))
                .set("value", Some(hex::encode(value)));
        }
        hash
    }

    /// The user, the session, the key, and where they came from.
    fn who(&mut self, object: &mut Object) {
        let row = self.row;
        let key = row.api_key_id.as_deref().or(row.api_key_fp.as_deref());
        let mut user = Object::default();
        user.set("uid", row.user_ref.as_deref());
        let mut session = Object::default();
        session.set("uid", row.session_id.as_deref());
        let mut actor = Object::default();
        actor.set("app_uid", row.partner_id.as_deref());
        let mut actors_session = Object::default();
        if self.class == AUTHENTICATION {
            // A class that is about a user has one, known or not.
            if user.0.is_empty() {
                user.set("name", Some("unknown"));
            }
            object.nest("user", user).nest("session", session);
            actors_session.set("credential_uid", key);
            let mut service = Object::default();
            service
                .set("name", row.host.is_none().then_some(row.source_format.as_deref().unwrap_or("unknown")));
            object.nest("service", service);
        } else {
            actor.nest("user", user);
            actors_session.set("uid", row.session_id.as_deref());
            actors_session.set("credential_uid", key.filter(|_| self.class != API_ACTIVITY));
        }
        actor.nest("session", actors_session);
        if self.class == API_ACTIVITY && actor.0.is_empty() {
            actor.set("app_name", Some(row.source_format.as_deref().unwrap_or("unknown")));
        }
        object.nest("actor", actor);
        self.endpoints(object);
    }

    fn endpoints(&mut self, object: &mut Object) {
        let row = self.row;
        let mut proxy = Object::default();
        proxy.set("ip", row.peer_ip.as_deref());
        let mut source = Object::default();
        source.set("ip", row.src_ip.as_deref());
        if row.src_ip.is_none() && (self.class == API_ACTIVITY || row.peer_ip.is_some()) {
            source.set("name", Some("unknown"));
        }
        if !source.0.is_empty() {
            let is_port = |port: &i32| (0..=65_535).contains(port);
            let mut network = Object::default();
            network.set("number", row.src_asn).set("name", row.src_as_name.as_deref());
            let mut location = Object::default();
            location.set("country", row.src_country.as_deref()).set("city", row.src_city.as_deref());
            // A location is one that has a name.
            let place = if location.0.is_empty() { &mut self.unmapped } else { &mut location };
            place.set("lat", row.src_lat).set("long", row.src_lon);
            source
                .set("port", row.src_port.filter(is_port))
                .nest("proxy_endpoint", proxy)
                .nest("autonomous_system", network)
                .nest("location", location);
        }
        if self.class == BASE_EVENT {
            self.unmapped.nest("src_endpoint", source);
        } else {
            object.nest("src_endpoint", source);
        }
        let mut destination = Object::default();
        destination.set("hostname", row.host.as_deref());
        if matches!(self.class, AUTHENTICATION | API_ACTIVITY | HTTP_ACTIVITY) {
            object.nest("dst_endpoint", destination);
        }
    }

    /// The token, the call, the thing that was touched, the log.
    fn what(&mut self, object: &mut Object) {
        let row = self.row;
        let key = row.api_key_id.as_deref().or(row.api_key_fp.as_deref());
        let mut token = Object::default();
        token
            .set("uid", row.token_fp.as_deref())
            .set("created_time", row.token_issued_at.map(EventTime::millis))
            .set("expiration_time", row.token_expires_at.map(EventTime::millis));
        let has_token = !token.0.is_empty();
        if has_token {
            token.set("type_id", Some(SESSION_TOKEN.0)).set("type", Some(SESSION_TOKEN.1));
        }
        match self.class {
            AUTHENTICATION => {
                object.nest("authentication_token", token);
            }
            API_ACTIVITY => {
                let mut api = Object::default();
                api.set("operation", row.route.as_deref().or(row.action.as_deref()).or(Some("unknown")));
                let mut used = Object::default();
                if key.is_some() {
                    used.set("uid", key)
                        .set("type_id", Some(API_TOKEN.0))
                        .set("type", Some(API_TOKEN.1))
                        .set("tenant_uid", row.partner_id.as_deref());
                }
                api.nest("token", used);
                object.nest("api", api);
                self.unmapped.nest("session_token", token);
            }
            ENTITY_MANAGEMENT => {
                let entity_uid = row.object_id.as_deref().or(key).or(row.user_ref.as_deref());
                let mut entity = Object::default();
                entity.set("uid", Some(entity_uid.unwrap_or("unknown")));
                object.nest("entity", entity);
                self.unmapped.nest("session_token", token);
            }
            EVENT_LOG_ACTIVITY => {
                object.set("log_name", Some(row.feed.as_deref().unwrap_or("unknown")));
                self.unmapped.nest("session_token", token);
            }
            _ => {
                self.unmapped.nest("session_token", token);
            }
        }
        self.resources(object);
        match (self.class, row.trace_id.as_deref()) {
            (API_ACTIVITY | HTTP_ACTIVITY, Some(id)) => {
                let mut trace = Object::default();
                trace.set("uid", Some(id));
                object.nest("trace", trace);
            }
            (_, id) => {
                self.unmapped.set("trace_id", id);
            }
        }
    }

    /// What was touched: the object, and the token where the class has no better place for it.
    fn resources(&mut self, object: &mut Object) {
        let row = self.row;
        if self.class != API_ACTIVITY {
            let is_entity = self.class == ENTITY_MANAGEMENT;
            self.unmapped.set("object_id", row.object_id.as_deref().filter(|_| !is_entity));
            self.unmapped.set("object_owner", row.object_owner.as_deref());
            return;
        }
        let mut resources = Vec::new();
        for (uid, kind) in [(&row.token_fp, Some("session token")), (&row.object_id, None)] {
            let mut resource = Object::default();
            if uid.is_some() {
                resource.set("uid", uid.as_deref()).set("type", kind);
                let mut owner = Object::default();
                owner.set("uid", row.object_owner.as_deref().filter(|_| kind.is_none()));
                resource.nest("owner", owner);
            }
            resources.extend(resource.some());
        }
        object.set("resources", (!resources.is_empty()).then_some(resources));
    }

    fn http(&mut self, object: &mut Object) {
        let row = self.row;
        let method = row.method.as_deref();
        let is_known = |method: &&str| METHODS.contains(method);
        let mut url = Object::default();
        url.set("path", row.path.as_deref())
            .set("hostname", row.host.as_deref())
            .set("scheme", row.scheme.as_deref())
            .set("query_string", row.query_redacted.as_deref());
        if !url.0.is_empty() && row.path.is_none() {
            url.set("url_string", Some(row.host.as_deref().unwrap_or("unknown")));
        }
        let mut request = Object::default();
        request
            .set("http_method", method.filter(is_known))
            .set("user_agent", row.user_agent.as_deref())
            .set("referrer", row.referrer_host.as_deref())
            .set("uid", row.request_id.as_deref())
            .set("length", row.bytes_in)
            .set("x_forwarded_for", list(&row.xff))
            .nest("url", url);
        let mut response = Object::default();
        response.set("length", row.bytes_out).set("latency", row.latency_ms);
        let has_response = row.status.is_some();
        response.set("code", row.status);
        self.unmapped.set("http_method", method.filter(|method| !is_known(method)));
        if matches!(self.class, AUTHENTICATION | ENTITY_MANAGEMENT | HTTP_ACTIVITY | API_ACTIVITY) {
            object.nest("http_request", request);
            if has_response {
                object.nest("http_response", response);
            } else {
                self.unmapped.nest("http_response", response);
            }
        } else {
            self.unmapped.nest("http_request", request).nest("http_response", response);
        }
        let mut tls = Object::default();
        tls.set("version", row.tls_version.as_deref());
        if self.class == HTTP_ACTIVITY {
            object.nest("tls", tls).set("ja4_fingerprint_list", row.ja4.as_deref().map(ja4));
        } else {
            self.unmapped.set("tls_version", row.tls_version.as_deref()).set("ja4", row.ja4.as_deref());
        }
    }

    /// Where the event came from and which profiles its object needs.
    fn metadata(&self, object: &Object) -> Object {
        let row = self.row;
        let mut product = Object::default();
        product.set("name", Some(row.source_format.as_deref().unwrap_or("unknown")));
        let mut logger = Object::default();
        logger.set("uid", row.shipper_id.as_deref());
        let profiles: Vec<&str> = [("host", "actor"), ("trace", "trace")]
            .into_iter()
            .filter(|(_, attribute)| object.0.contains_key(*attribute))
            .map(|(profile, _)| profile)
            .collect();
        let mut metadata = Object::default();
        metadata
            .set("version", Some(VERSION))
            .nest("product", product)
            .set("uid", row.event_id.as_deref())
            .set("event_code", row.action.as_deref())
            .set("original_event_uid", row.source_event_id.as_deref())
            .set("tenant_uid", row.tenant.as_deref())
            .set("log_name", row.feed.as_deref())
            .set("log_format", row.source_format.as_deref())
            .set("original_time", row.original_time.as_deref())
            .set("logged_time", row.logged_time.map(EventTime::millis))
            .set("transmit_time", row.transmit_time.map(EventTime::millis))
            .set("processed_time", row.ingest_time.map(EventTime::millis))
            .set("sequence", row.seq)
            .set("loggers", logger.some().map(|logger| vec![logger]))
            .set("labels", row.env.as_deref().map(|env| vec![format!("env:{env}")]))
            .set("profiles", (!profiles.is_empty()).then_some(profiles));
        metadata
    }
}

/// What the source said that no column holds, and the columns that OCSF has no place for.
fn unmapped(row: &EventRow<'_>) -> Object {
    let said = row.unmapped.as_deref().and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok());
    let mut object = Object(said.unwrap_or_default());
    let mut kafka = Object::default();
    kafka
        .set("topic", row.kafka_topic.as_deref())
        .set("partition", row.kafka_partition)
        .set("offset", row.kafka_offset)
        .set("line", row.kafka_line);
    object
        .nest("kafka", kafka)
        .set("boot_id", row.boot_id.as_deref())
        .set("owasp_event", row.owasp_event.as_deref())
        .set("end_user_ip", row.end_user_ip.as_deref())
        .set("ua_fp", row.ua_fp.as_deref())
        .set("ua_family", row.ua_family.as_deref())
        .set("enriched_by", row.enriched_by.as_deref())
        .set("redriven_from", row.redriven_from.as_deref())
        .set("origin_host", row.origin_host.as_deref())
        .set("bound_origin", row.bound_origin.as_deref())
        .set("observed", row.observed.as_deref())
        .set("flags", list(&row.flags))
        .set("redactions", list(&row.redactions));
    object
}

/// A list of the one fingerprint.
fn ja4(value: &str) -> Value {
    serde_json::json!([{ "type_id": 1, "type": "JA4", "value": value }])
}

fn list(items: &[Cow<'_, str>]) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.iter().map(|item| item.as_ref().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class_uid: i32, activity_id: i32) -> EventRow<'static> {
        EventRow {
            event_id: Some("evt_1".into()),
            time: Some(EventTime(1_773_480_413_589)),
            class_uid: Some(class_uid),
            activity_id: Some(activity_id),
            severity: Some(2),
            action: Some("login".into()),
            outcome: Some("failure".into()),
            source_format: Some("partner".into()),
            ..EventRow::default()
        }
    }

    #[test]
    fn a_class_without_its_user_has_an_unknown_one() {
        let object = of_event(&row(3002, 1));
        assert_eq!(object["user"]["name"], "unknown");
        assert_eq!(object["type_uid"], 300_201);
        assert_eq!(object["type_name"], "Authentication: Logon");
        assert_eq!(object["status_id"], 2);
    }

    #[test]
    fn what_a_class_has_no_place_for_is_unmapped() {
        let row =
            EventRow { tls_version: Some("TLSv1.3".into()), method: Some("BREW".into()), ..row(6003, 2) };
        let object = of_event(&row);
        assert_eq!(object["unmapped"]["tls_version"], "TLSv1.3");
        assert_eq!(object["unmapped"]["http_method"], "BREW");
        assert!(object.get("tls").is_none());
        let http = of_event(&EventRow { class_uid: Some(4002), ..row });
        assert_eq!(http["tls"]["version"], "TLSv1.3");
    }

    #[test]
    fn where_an_address_is_stands_with_the_name_of_the_place_and_else_beside_it() {
        let row = EventRow {
            src_ip: Some("203.0.113.9".into()),
            src_country: Some("DE".into()),
            src_lat: Some(52.52),
            src_lon: Some(13.4),
            ..row(3002, 1)
        };
        let object = of_event(&row);
        assert_eq!(
            object["src_endpoint"]["location"],
            serde_json::json!({"country": "DE", "lat": 52.52, "long": 13.4})
        );
        let nameless = of_event(&EventRow { src_country: None, ..row });
        assert_eq!(nameless["src_endpoint"].get("location"), None);
        assert_eq!(
            (&nameless["unmapped"]["lat"], &nameless["unmapped"]["long"]),
            (&52.52.into(), &13.4.into())
        );
    }

    #[test]
    fn an_http_activity_without_a_request_or_an_answer_is_a_base_event() {
        let object = of_event(&row(4002, 99));
        assert_eq!((&object["class_uid"], &object["unmapped"]["class_uid"]), (&0.into(), &4002.into()));
        let answered = EventRow { status: Some(403), ..row(4002, 99) };
        assert_eq!(of_event(&answered)["class_uid"], 4002);
    }

    #[test]
    fn an_activity_that_the_class_does_not_know_is_other() {
        let object = of_event(&EventRow { status: Some(200), ..row(4002, 42) });
        assert_eq!((&object["activity_id"], &object["type_uid"]), (&99.into(), &400_299.into()));
    }
}
