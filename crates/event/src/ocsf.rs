//! Events and alerts as objects of the Open Cybersecurity Schema Framework, version 1.8.0
//! (<https://schema.ocsf.io/1.8.0>): made from the columns when somebody asks, never stored.

mod classes;
mod event;
mod finding;

use serde_json::{Map, Value};

pub use self::event::of_event;
pub use self::finding::of_change;

/// The version that the objects follow.
pub const VERSION: &str = "1.8.0";

/// An object in the making, whose empty parts are left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    /// Adds what there is.
    fn set<V: Into<Value>>(&mut self, name: &str, value: Option<V>) -> &mut Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Adds an object that has anything in it.
    fn nest(&mut self, name: &str, object: Object) -> &mut Self {
        let value = object.some();
        self.set(name, value)
    }

    /// The object, if it has anything in it.
    fn some(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

/// The names of a class, its category and one of its activities.
fn classify(object: &mut Object, class_uid: i32, activity_id: i32) {
    let class = classes::class(class_uid);
    // What the class does not know is `Other`; its own number is kept where the event is.
    let (id, activity) = class.activity(activity_id);
    let category_uid = class.uid / 1_000;
    object
        .set("class_uid", Some(class.uid))
        .set("class_name", Some(class.name))
        .set("category_uid", Some(category_uid))
        .set("category_name", Some(classes::category(category_uid)))
        .set("activity_id", Some(id))
        .set("activity_name", Some(activity))
        .set("type_uid", Some(i64::from(class.uid) * 100 + i64::from(id)))
        .set("type_name", Some(format!("{}: {activity}", class.name)));
}

fn severity(object: &mut Object, id: i32) {
    let id = if (1..=6).contains(&id) { id } else { 0 };
    let names = ["Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"];
    object.set("severity_id", Some(id)).set("severity", Some(names[id as usize]));
}
