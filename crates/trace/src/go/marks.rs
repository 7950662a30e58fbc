//! Marks: regions and messages of the user's. In Go's format a goroutine can only tell of them while it runs on a P. What
//! one marks in a blocking call, or while it computes on without a P, waits until it has one again; a region that has ended
//! by then is left out.

use super::Writer;
use super::names::ev;
use super::waiting::Mark;
use crate::step::{GState, Mid, Origin};
use std::collections::HashMap;

impl Writer {
    /// Writes what the goroutine marks, now or when it runs.
    pub(super) fn mark(&mut self, time: u64, g: u64, mark: Mark, origins: &HashMap<u64, Origin>) {
        match self.gs.get(&g).map(|g| g.state) {
            Some(GState::Running(m)) if self.is_on_p_with_g(m) => {
                self.own(time, m, origins);
                self.write_mark(time, m, g, mark);
            }
            Some(_) => {
                if let Some(record) = self.gs.get_mut(&g) {
                    record.marks.wait(mark);
                }
            }
            None => {}
        }
    }

    /// The goroutine runs on `m`: writes what it has marked since it ran last.
    pub(super) fn catch_up(&mut self, time: u64, m: Mid, g: u64) {
        let Some(record) = self.gs.get_mut(&g) else { return };
        for mark in core::mem::take(&mut record.marks.waiting) {
            self.write_mark(time, m, g, mark);
        }
    }

    fn write_mark(&mut self, time: u64, m: Mid, g: u64, mark: Mark) {
        let Some(record) = self.gs.get_mut(&g) else { return };
        let open = &mut record.marks.open;
        match mark {
            Mark::Begin(name) => {
                let id = self.tables.string(&name);
                open.push(name);
                self.event(time, m, ev::REGION_BEGIN, &[0, id, 0]);
            }
            Mark::End(name) => {
                if open.last() == Some(&name) {
                    open.pop();
                    let id = self.tables.string(&name);
                    self.event(time, m, ev::REGION_END, &[0, id, 0]);
                }
            }
            Mark::Log(category, message) => {
                let (category, message) = (self.tables.string(&category), self.tables.string(&message));
                self.event(time, m, ev::LOG, &[0, category, message, 0]);
            }
        }
    }

    /// The goroutine ends on `m`, and its regions with it.
    pub(super) fn end_regions(&mut self, time: u64, m: Mid, g: u64) {
        let open = self.gs.get_mut(&g).map(|g| core::mem::take(&mut g.marks.open)).unwrap_or_default();
        for name in open.into_iter().rev() {
            let id = self.tables.string(&name);
            self.event(time, m, ev::REGION_END, &[0, id, 0]);
        }
    }
}
