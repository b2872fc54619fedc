//! The boards, held to their contract.

use std::sync::Arc;

use async_trait::async_trait;
use call_session::live::{
    Board,
    conformance::{self, Harness},
    memory::MemoryBoard,
};

#[derive(Default)]
struct Memory(Arc<MemoryBoard>);

#[async_trait]
impl Harness for Memory {
    async fn board(&self) -> Arc<dyn Board> {
        self.0.clone()
    }
}

macro_rules! checks {
    ($($check:ident)*) => {
        mod memory {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $check() {
                    conformance::$check(&Memory::default()).await;
                }
            )*
        }
    };
}

checks! {
    takes_a_call_for_one_server
    a_greater_fence_ends_the_former_lease
    a_call_that_is_let_go_is_free
    brings_commands_to_the_holder_and_replies_back
    keeps_the_order_of_commands
    says_why_there_is_no_reply
    lets_another_server_have_the_calls_of_a_dead_one
    a_command_goes_where_its_call_went
    a_server_that_stops_lets_go_at_once
    nobody_counts_on_a_server_that_drains
    a_command_is_taken_once
    a_command_that_is_called_off_is_not_taken
    a_command_is_not_taken_when_its_time_is_over
    bounds_the_commands_that_wait
    tells_servers_that_live_from_dead_ones
}
