//! A transformation that parses lines of daily weather observations into structs, converts units and drops days without
//! rain. The lines are `date,precipitation,temp_max,temp_min,wind,weather`, in millimetres, degrees Celsius and metres
//! per second.

use std::rc::Rc;

use weir_sdk::metrics;
use weir_sdk::prelude::*;
use weir_sdk::{Node, Type};

/// The transformation.
pub struct Weather {
    units: Units,
    schema: Rc<Schema>,
    /// The most rain of a day so far, in millimetres.
    wettest: f64,
}

/// How a unit of the observations becomes one of the records: name of the field, factor, what is added.
type Conversion = (&'static str, f64, f64);

struct Units {
    rain: Conversion,
    warmest: Conversion,
    coldest: Conversion,
    wind: Conversion,
}

const METRIC: Units = Units {
    rain: ("rain_mm", 1.0, 0.0),
    warmest: ("warmest_celsius", 1.0, 0.0),
    coldest: ("coldest_celsius", 1.0, 0.0),
    wind: ("wind_metres_per_second", 1.0, 0.0),
};

const IMPERIAL: Units = Units {
    rain: ("rain_inches", 1.0 / 25.4, 0.0),
    warmest: ("warmest_fahrenheit", 1.8, 32.0),
    coldest: ("coldest_fahrenheit", 1.8, 32.0),
    wind: ("wind_miles_per_hour", 3600.0 / 1609.344, 0.0),
};

fn schema(units: &Units) -> Schema {
    let number = || Schema::of(Node::new(Type::Float64));
    let text = || Schema::of(Node::new(Type::String));
    Schema::record([
        ("date", text()),
        (units.rain.0, number()),
        (units.warmest.0, number()),
        (units.coldest.0, number()),
        (units.wind.0, number()),
        ("weather", text()),
    ])
    .named("example.Weather")
}

/// To hundredths, which is more than was observed.
fn convert(observed: f64, (_, factor, add): Conversion) -> Value {
    Value::Float64(((observed * factor + add) * 100.0).round() / 100.0)
}

impl Transformation for Weather {
    fn class() -> Class {
        Class::new("example.Weather", env!("CARGO_PKG_VERSION"))
            .doc("Makes structs out of lines of daily weather observations and drops days without rain.")
            .key(
                Key::text("units")
                    .default("imperial")
                    .one_of(&["imperial", "metric"])
                    .doc("Units of the structs' fields, which are named after them."),
            )
    }

    fn configure(config: &Config) -> Result<Self> {
        let units = match config.text("units")? {
            "imperial" => IMPERIAL,
            "metric" => METRIC,
            other => return Err(Error::config("units", format!("expected imperial or metric, found {other:?}"))),
        };
        Ok(Weather { schema: Rc::new(schema(&units)), units, wettest: 0.0 })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::VALUE, writes: Parts::VALUE }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let value = record.value()?;
        let line = value.value.as_text().ok_or_else(|| Error::data("the value is not a line of text"))?;
        let line = line.trim_end();
        if line.starts_with("date,") || line.is_empty() {
            return Ok(Outcome::Drop);
        }
        let columns: Vec<&str> = line.split(',').collect();
        let [date, rain, warmest, coldest, wind, weather] = columns[..] else {
            return Err(Error::data(format!("expected 6 columns, found {} in {line:?}", columns.len())));
        };
        let number = |text: &str, what: &str| {
            text.parse::<f64>().map_err(|_| Error::data(format!("{what} {text:?} of {line:?} is not a number")))
        };
        let rain = number(rain, "precipitation")?;
        let values = vec![
            Value::from(date),
            convert(rain, self.units.rain),
            convert(number(warmest, "temp_max")?, self.units.warmest),
            convert(number(coldest, "temp_min")?, self.units.coldest),
            convert(number(wind, "wind")?, self.units.wind),
            Value::from(weather),
        ];
        if rain == 0.0 {
            metrics::add("dry_days", 1);
            return Ok(Outcome::Drop);
        }
        if rain > self.wettest {
            self.wettest = rain;
            metrics::set("wettest_day_mm", rain);
        }
        record.set_value(Data::under(&self.schema, Value::Struct(values)));
        Ok(Outcome::Keep)
    }
}

weir_sdk::export!(transformations: [Weather]);

#[cfg(test)]
mod tests {
    use super::*;

    fn weather(units: &str) -> Weather {
        Weather::configure(&Config::new([("units", units)])).unwrap()
    }

    #[test]
    fn a_rainy_day_becomes_a_struct_in_the_units_asked_for() {
        let line = "2012-01-02,10.9,10.6,2.8,4.5,rain";
        let mut record = Record::new("days", Data::text(line));
        assert_eq!(weather("imperial").apply(&mut record), Ok(Outcome::Keep));
        let day = record.value().unwrap();
        assert_eq!(day.get("date"), Some(&Value::from("2012-01-02")));
        assert_eq!(day.get("rain_inches"), Some(&Value::from(0.43)));
        assert_eq!(day.get("warmest_fahrenheit"), Some(&Value::from(51.08)));
        assert_eq!(day.get("wind_miles_per_hour"), Some(&Value::from(10.07)));
        let mut record = Record::new("days", Data::text(line));
        weather("metric").apply(&mut record).unwrap();
        assert_eq!(record.value().unwrap().get("rain_mm"), Some(&Value::from(10.9)));
    }

    #[test]
    fn dry_days_and_the_heading_are_dropped_and_broken_lines_fail() {
        let mut weather = weather("metric");
        let mut apply = |line: &str| weather.apply(&mut Record::new("days", Data::text(line)));
        assert_eq!(apply("2012-01-01,0.0,12.8,5.0,4.7,drizzle"), Ok(Outcome::Drop));
        assert_eq!(apply("date,precipitation,temp_max,temp_min,wind,weather"), Ok(Outcome::Drop));
        assert!(matches!(apply("2012-01-01,wet,12.8,5.0,4.7,rain"), Err(Error::Data(_))));
        assert!(matches!(apply("2012-01-01,1"), Err(Error::Data(_))));
    }

    #[test]
    fn every_line_of_the_observations_is_understood() {
        let mut weather = weather("imperial");
        let lines = include_str!("../data/seattle-weather.csv").lines();
        let kept = lines
            .filter(|line| weather.apply(&mut Record::new("days", Data::text(*line))).expect(line) == Outcome::Keep);
        assert_eq!(kept.count(), 623);
    }
}
