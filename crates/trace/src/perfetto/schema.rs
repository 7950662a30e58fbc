//! The parts of Perfetto's schema that are written: `trace.proto`, `trace_packet.proto`, `track_descriptor.proto`,
//! `track_event.proto`, `debug_annotation.proto`.

use prost::Message;

/// `Trace`, whose packets are written one by one.
#[cfg(test)]
#[derive(Message)]
pub(super) struct Trace {
    #[prost(message, repeated, tag = "1")]
    pub(super) packets: Vec<Packet>,
}

/// `TracePacket`.
#[derive(Clone, Message)]
pub(super) struct Packet {
    #[prost(uint64, optional, tag = "8")]
    pub(super) time: Option<u64>,
    /// Who writes: there is one.
    #[prost(uint32, optional, tag = "10")]
    pub(super) sequence: Option<u32>,
    #[prost(message, optional, tag = "11")]
    pub(super) event: Option<TrackEvent>,
    #[prost(message, optional, tag = "60")]
    pub(super) track: Option<Track>,
}

/// `TrackDescriptor`.
#[derive(Clone, Message)]
pub(super) struct Track {
    #[prost(uint64, optional, tag = "1")]
    pub(super) uuid: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub(super) name: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub(super) process: Option<Process>,
    #[prost(uint64, optional, tag = "5")]
    pub(super) parent: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub(super) counter: Option<Counter>,
}

/// `ProcessDescriptor`.
#[derive(Clone, Message)]
pub(super) struct Process {
    #[prost(int32, optional, tag = "1")]
    pub(super) pid: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(super) name: Option<String>,
}

/// `CounterDescriptor`.
#[derive(Clone, Copy, Message)]
pub(super) struct Counter {}

/// `TrackEvent`.
#[derive(Clone, Message)]
pub(super) struct TrackEvent {
    #[prost(message, repeated, tag = "4")]
    pub(super) annotations: Vec<Annotation>,
    #[prost(int32, optional, tag = "9")]
    pub(super) kind: Option<i32>,
    #[prost(uint64, optional, tag = "11")]
    pub(super) track: Option<u64>,
    #[prost(string, optional, tag = "23")]
    pub(super) name: Option<String>,
    #[prost(int64, optional, tag = "30")]
    pub(super) count: Option<i64>,
    #[prost(fixed64, repeated, packed = "false", tag = "47")]
    pub(super) flows: Vec<u64>,
    #[prost(fixed64, repeated, packed = "false", tag = "48")]
    pub(super) ended_flows: Vec<u64>,
}

/// `DebugAnnotation`.
#[derive(Clone, Message)]
pub(super) struct Annotation {
    #[prost(uint64, optional, tag = "3")]
    pub(super) number: Option<u64>,
    #[prost(string, optional, tag = "6")]
    pub(super) text: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(super) name: Option<String>,
}

impl Annotation {
    pub(super) fn of_number(name: &str, number: u64) -> Self {
        Self { name: Some(name.into()), number: Some(number), text: None }
    }

    pub(super) fn of_text(name: &str, text: &str) -> Self {
        Self { name: Some(name.into()), number: None, text: Some(text.into()) }
    }
}
