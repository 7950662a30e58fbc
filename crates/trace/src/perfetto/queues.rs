//! Queues: counters of how many goroutines are queued on each P, and in the shared queue.

use super::Writer;
use crate::lengths::{Change, Queue};

const SHARED: u64 = 6;

fn queue_of_p(p: u32) -> u64 {
    1 << 34 | u64::from(p)
}

impl Writer {
    pub(super) fn queue_is(&mut self, Change { queue, time, length }: Change) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match queue {
            Queue::OfP(p) => self.count(time, queue_of_p(p), &|| format!("queue of P{p}"), length),
            Queue::Shared => self.count(time, SHARED, &|| "shared queue".into(), length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Trace;
    use super::*;
    use crate::step::{Act, Step};
    use prost::Message;
    use std::collections::HashMap;

    /// What the counters say, by name.
    fn counters(writer: &mut Writer) -> Vec<(String, u64, i64)> {
        let packets = Trace::decode(&*writer.flip()).unwrap().packets;
        let tracks = packets.iter().filter_map(|packet| packet.track.clone());
        let names: HashMap<u64, String> =
            tracks.filter_map(|track| Some((track.uuid?, track.name?))).collect();
        let counted = packets.iter().filter_map(|packet| {
            let event = packet.event.as_ref()?;
            Some((names[&event.track?].clone(), packet.time?, event.count?))
        });
        counted.filter(|(name, ..)| name.contains("queue")).collect()
    }

    #[test]
    fn each_queue_has_a_counter() {
        let mut writer = Writer::default();
        let steps = [
            (100, Act::Queues { p: 0, own: 1, shared: 0, before: None }),
            (250, Act::Steal { p: 1, victim: 0, amount: 30 }),
            (300, Act::Queues { p: 0, own: 69, shared: 4, before: Some((105, 70)) }),
        ];
        for (time, act) in steps {
            writer.step(&Step { time, m: 1, act }, &HashMap::new());
        }
        let told = counters(&mut writer);
        let of = |name: &str, time, length| (name.to_owned(), time, length);
        let expected = [
            of("queue of P0", 100, 1),
            of("shared queue", 100, 0),
            of("queue of P0", 105, 100),
            of("queue of P0", 250, 70),
            of("queue of P0", 300, 69),
            of("shared queue", 300, 4),
        ];
        assert_eq!(told, expected);
    }
}
