//! Random lives of a room.

use proptest::prelude::*;
use twilio_twiml::{
    jiff::Timestamp,
    sid::CallSid,
    webhook::{ConferenceHappening, WhyLeft},
    words::{Beep, CallStatus, ConferenceEvent, Method},
};

use super::{
    room::{Ear, News, Room, Shut, Stage, Told, Traits},
    wait_at,
};
use crate::twilio::{frame::SILENT, interpreter::Fetch};

#[derive(Debug, Clone)]
enum Op {
    Expect(u8),
    Join(u8, bool, bool),
    Leave(u8),
    Kick(u8),
    Mute(u8, bool),
    Hold(u8, bool),
    Frame(u8),
    End,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let leg = 0_u8..5;
    let op = prop_oneof![
        leg.clone().prop_map(Op::Expect),
        (leg.clone(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(leg, starts, ends)| Op::Join(leg, starts, ends)),
        (leg.clone(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(leg, starts, ends)| Op::Join(leg, starts, ends)),
        leg.clone().prop_map(Op::Leave),
        leg.clone().prop_map(Op::Kick),
        (leg.clone(), any::<bool>()).prop_map(|(leg, muted)| Op::Mute(leg, muted)),
        (leg.clone(), any::<bool>()).prop_map(|(leg, held)| Op::Hold(leg, held)),
        leg.prop_map(Op::Frame),
        Just(Op::End),
    ];
    prop::collection::vec(op, 0..60)
}

fn leg(number: u8) -> CallSid {
    format!("CA{number:032x}").parse().unwrap()
}

fn traits(starts: bool, ends: bool) -> Traits {
    let wait = wait_at(None, true);
    Traits { label: None, muted: false, starts, ends, beep: Beep::Always, coaches: None, wait }
}

fn room() -> Room {
    let fetch = Fetch { purpose: "conference", url: "http://127.0.0.1:9/".parse().unwrap(), method: Method::Post };
    let told = Told { fetch, events: ConferenceEvent::ALL.to_vec() };
    let sid = "CF0123456789abcdef0123456789abcdef".parse().unwrap();
    Room::new(sid, "room".into(), Some(told), None, Timestamp::UNIX_EPOCH)
}

fn count(news: &[News], happening: &ConferenceHappening) -> usize {
    news.iter().filter(|news| news.happening == *happening).count()
}

proptest! {
    #[test]
    fn a_room_starts_once_ends_once_and_whoever_comes_goes(ops in ops()) {
        let (mut room, now) = (room(), Timestamp::UNIX_EPOCH);
        let mut inside: Vec<u8> = Vec::new();
        let leave = |room: &mut Room, inside: &mut Vec<u8>, number: u8, why: WhyLeft| {
            inside.retain(|other| *other != number);
            room.leave(&leg(number), why, CallStatus::Completed, now);
        };
        for op in ops {
            match op {
                // A room that is over is not entered: another one is opened.
                Op::Expect(_) | Op::Join(..) if room.stage == Stage::Completed => {}
                Op::Expect(number) => if room.member(leg(number).as_str()).is_none() {
                    prop_assert_eq!(room.expect(leg(number), traits(true, false), 250, now), Ok::<_, Shut>(()));
                },
                Op::Join(number, starts, ends) => if !inside.contains(&number) {
                    prop_assert_eq!(room.join(&leg(number), traits(starts, ends), 250, now), Ok::<_, Shut>(()));
                    inside.push(number);
                },
                Op::Leave(number) => leave(&mut room, &mut inside, number, WhyLeft::HungUp),
                Op::Kick(number) => drop(room.kick(leg(number).as_str())),
                Op::Mute(number, muted) => room.mute(leg(number).as_str(), muted, now),
                Op::Hold(number, held) => room.hold(leg(number).as_str(), held.then(|| wait_at(None, false)), now),
                Op::Frame(number) => if inside.contains(&number) {
                    room.say(&leg(number), &SILENT);
                    match room.hear(&leg(number)) {
                        Ear::Out(why) => leave(&mut room, &mut inside, number, why),
                        Ear::Room(_) => prop_assert_eq!(room.stage, Stage::InProgress),
                        Ear::Programme { .. } => prop_assert!(room.stage != Stage::Completed),
                    }
                },
                Op::End => room.end_by_api(now),
            }
        }
        // Everybody looks at whether they are out, again after each who was, since that one may have ended the room. Then
        // they hang up.
        let out = |room: &mut Room, inside: &[u8]| {
            inside.iter().find_map(|number| match room.hear(&leg(*number)) {
                Ear::Out(why) => Some((*number, why)),
                Ear::Room(_) | Ear::Programme { .. } => None,
            })
        };
        while let Some((number, why)) = out(&mut room, &inside) {
            leave(&mut room, &mut inside, number, why);
        }
        prop_assert!(room.stage != Stage::Completed || inside.is_empty());
        for number in inside.clone() {
            leave(&mut room, &mut inside, number, WhyLeft::HungUp);
        }
        let news = &room.news;
        let places: Vec<u32> = news.iter().map(|news| news.place).collect();
        prop_assert_eq!(places, (1..).take(news.len()).collect::<Vec<u32>>());
        let joined = count(news, &ConferenceHappening::Join);
        let gone = news.iter().filter(|news| news.member.as_ref().is_some_and(|member| member.is_in) && news.happening == ConferenceHappening::Leave);
        prop_assert_eq!(gone.count(), joined);
        prop_assert!(count(news, &ConferenceHappening::Start) <= 1);
        let ends = count(news, &ConferenceHappening::End);
        prop_assert!(ends <= 1);
        if joined > 0 && room.members.is_empty() {
            prop_assert_eq!((ends, room.stage), (1, Stage::Completed));
            prop_assert_eq!(&news.last().unwrap().happening, &ConferenceHappening::End);
        }
    }
}
