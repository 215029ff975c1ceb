//! Records as places on the map (RFC 7946).

use serde_json::{Value, json};

/// A record as a feature: its `location` is a point, its `locations` are several.
pub fn feature(mut row: Value) -> Value {
    let point = |place: &Value| json!([place["longitude"], place["latitude"]]);
    let members = row.as_object();
    let take = |name: &str| members.and_then(|members| members.get(name)).cloned().unwrap_or_default();
    let geometry = match (take("location"), take("locations")) {
        (place @ Value::Object(_), _) => json!({ "type": "Point", "coordinates": point(&place) }),
        (_, Value::Array(places)) if !places.is_empty() => {
            json!({ "type": "MultiPoint", "coordinates": places.iter().map(point).collect::<Vec<_>>() })
        }
        _ => Value::Null,
    };
    if let Some(members) = row.as_object_mut() {
        members.retain(|name, _| !["location", "locations"].contains(&name.as_str()));
    }
    json!({ "type": "Feature", "geometry": geometry, "properties": row })
}

/// Records as a collection of features.
pub fn collection(rows: &Value) -> Value {
    let features: Vec<_> = rows.as_array().into_iter().flatten().cloned().map(feature).collect();
    json!({ "type": "FeatureCollection", "features": features })
}
