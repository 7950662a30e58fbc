//! A profile as pprof reads it: gzip over protobuf, by the schema that pprof publishes (`profile.proto`, version 3).

use crate::profile::{Kind, PERIOD, Profile};
use crate::symbols::Frame;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

#[derive(Message)]
struct File {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
}

/// Text is a place in the table of strings, here and below.
#[derive(Clone, Copy, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Message)]
struct Sample {
    /// Innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, Copy, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
}

#[derive(Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// Innermost first, where calls were inlined.
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// What is written once and named by number, from a first number on.
struct Table<K> {
    numbers: HashMap<K, u64>,
    first: u64,
}

impl<K: std::hash::Hash + Eq> Table<K> {
    fn from(first: u64) -> Self {
        Self { numbers: HashMap::new(), first }
    }

    /// The number of `key`, and whether it is new.
    fn number(&mut self, key: K) -> (u64, bool) {
        let next = self.first + self.numbers.len() as u64;
        let number = *self.numbers.entry(key).or_insert(next);
        (number, number == next)
    }
}

struct Writer {
    file: File,
    strings: Table<String>,
    functions: Table<(i64, i64)>,
    locations: Table<Arc<[Frame]>>,
}

impl Writer {
    fn new() -> Self {
        let mut writer = Self {
            file: File::default(),
            strings: Table::from(0),
            functions: Table::from(1),
            locations: Table::from(1),
        };
        // The first text is the empty one.
        writer.text("");
        writer
    }

    fn text(&mut self, text: &str) -> i64 {
        let (number, is_new) = self.strings.number(text.to_owned());
        if is_new {
            self.file.string_table.push(text.to_owned());
        }
        number as i64
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType { kind: self.text(kind), unit: self.text(unit) }
    }

    fn line(&mut self, frame: &Frame) -> Line {
        let name = self.text(&frame.function);
        let filename = self.text(frame.file().unwrap_or(""));
        let (function_id, is_new) = self.functions.number((name, filename));
        if is_new {
            self.file.function.push(Function { id: function_id, name, filename });
        }
        Line { function_id, line: frame.line().unwrap_or(0).into() }
    }

    fn location(&mut self, frames: &Arc<[Frame]>) -> u64 {
        let (id, is_new) = self.locations.number(frames.clone());
        if is_new {
            let line = frames.iter().map(|frame| self.line(frame)).collect();
            self.file.location.push(Location { id, line });
        }
        id
    }
}

impl Profile {
    /// The profile as `go tool pprof`, and what else reads pprof's files, want it: protobuf, compressed by gzip. Such a
    /// file is called `cpu.pb.gz`, say.
    #[must_use]
    pub fn to_pprof(&self) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let file = self.to_file().encode_to_vec();
        // A vector takes all.
        gzip.write_all(&file).and_then(|()| gzip.finish()).unwrap_or_default()
    }

    fn to_file(&self) -> File {
        let mut writer = Writer::new();
        let nanos = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let (kinds, period_type, period) = match self.kind {
            Kind::Cpu => {
                let cpu = writer.value_type("cpu", "nanoseconds");
                (vec![writer.value_type("samples", "count"), cpu], cpu, nanos(PERIOD))
            }
            Kind::Block | Kind::Mutex => {
                let contentions = writer.value_type("contentions", "count");
                (vec![contentions, writer.value_type("delay", "nanoseconds")], contentions, 1)
            }
            Kind::Goroutine => {
                let goroutine = writer.value_type("goroutine", "count");
                (vec![goroutine], goroutine, 1)
            }
        };
        let began = self.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        writer.file.sample_type = kinds;
        writer.file.period_type = Some(period_type);
        writer.file.period = period;
        writer.file.time_nanos = nanos(began);
        writer.file.duration_nanos = nanos(self.took);
        for sample in &self.samples {
            let location_id = sample.stack.iter().map(|frames| writer.location(frames)).collect();
            let value = match self.kind {
                Kind::Cpu | Kind::Block | Kind::Mutex => vec![sample.count as i64, nanos(sample.time)],
                Kind::Goroutine => vec![sample.count as i64],
            };
            let mut label = Vec::new();
            for (key, text) in &sample.labels {
                label.push(Label { key: writer.text(key), text: writer.text(text) });
            }
            writer.file.sample.push(Sample { location_id, value, label });
        }
        writer.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::Duration;

    fn frame(function: &str, line: u32) -> Frame {
        Frame::new(function.into(), Some("main.rs".into()), Some(line))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at: Arc<[Frame]> = Arc::from([frame("inlined", 3), frame("outer", 7)]);
        let sample = |label: &str, millis| crate::profile::Sample {
            stack: vec![at.clone(), Arc::from([frame("main", 1)])],
            labels: vec![("kind".into(), label.into())],
            count: 2,
            time: Duration::from_millis(millis),
        };
        let profile = Profile {
            kind: Kind::Cpu,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
            took: Duration::from_secs(1),
            samples: vec![sample("heavy", 70), sample("light", 30)],
        };
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&*profile.to_pprof()).read_to_end(&mut bytes).unwrap();
        let file = File::decode(&*bytes).unwrap();
        let text = |number: i64| file.string_table[number as usize].as_str();
        assert_eq!(text(0), "");
        let kinds: Vec<_> = file.sample_type.iter().map(|of| (text(of.kind), text(of.unit))).collect();
        assert_eq!(kinds, [("samples", "count"), ("cpu", "nanoseconds")]);
        assert_eq!(
            (file.time_nanos, file.duration_nanos, file.period),
            (5_000_000_000, 1_000_000_000, 10_000_000)
        );
        assert_eq!(file.location.len(), 2, "each place is written once");
        let names = |id: u64| {
            let location = file.location.iter().find(|location| location.id == id).unwrap();
            let function = |id| file.function.iter().find(|function: &&Function| function.id == id).unwrap();
            let lines = location.line.iter().map(|line| (text(function(line.function_id).name), line.line));
            lines.collect::<Vec<_>>()
        };
        for (sample, (label, millis)) in file.sample.iter().zip([("heavy", 70), ("light", 30)]) {
            assert_eq!(names(sample.location_id[0]), [("inlined", 3), ("outer", 7)]);
            assert_eq!(names(sample.location_id[1]), [("main", 1)]);
            assert_eq!(sample.value, [2, millis * 1_000_000]);
            assert_eq!((text(sample.label[0].key), text(sample.label[0].text)), ("kind", label));
        }
    }

    #[test]
    fn goroutines_have_one_value() {
        let profile = Profile {
            kind: Kind::Goroutine,
            began: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
            samples: vec![crate::profile::Sample {
                stack: Vec::new(),
                labels: Vec::new(),
                count: 9,
                time: Duration::ZERO,
            }],
        };
        let file = profile.to_file();
        assert_eq!(file.sample[0].value, [9]);
        assert_eq!(file.string_table[file.sample_type[0].kind as usize], "goroutine");
    }
}
