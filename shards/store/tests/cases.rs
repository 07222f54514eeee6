//! What every driver must do alike: one list of cases, each on a database of its own.

use std::sync::Arc;

use super::cluster::Cluster;
use super::{Folder, archive, questions, rooms, twin};
use crate::store::{Handle, Store};

fn on_each(case: fn(&Handle)) {
    let folder = Folder::new();
    case(&folder.open().handle());
    let config = folder.with_postgres(&Cluster::shared().database());
    case(&Store::open(&config, Arc::new(|_, _, _| {})).unwrap().handle());
}

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        $(#[test]
        fn $case() {
            on_each($module::$case);
        })*
    };
}

cases! {
    questions::an_account_is_made_once_and_its_verifiers_change,
    questions::accounts_are_listed_in_order_page_by_page,
    questions::a_roster_item_is_replaced_and_sets_the_version,
    questions::every_subscription_state_comes_back,
    questions::a_contact_has_one_request,
    questions::private_elements_are_limited_and_replaced,
    questions::vcard_blocklist_and_last_presence_are_kept,
    questions::an_account_made_again_has_nothing_of_the_old_one,
    archive::a_message_is_kept_for_both_sides,
    archive::an_id_that_is_there_stays_as_it_is,
    archive::many_entries_of_one_message_are_kept,
    archive::waiting_messages_are_read_in_order_until_they_wait_no_longer,
    archive::pages_go_forwards_and_backwards,
    archive::a_page_ends_when_it_has_its_bytes,
    archive::a_page_may_name_its_messages,
    archive::what_a_query_finds_is_counted_up_to_a_bound,
    archive::an_archive_has_two_ends,
    archive::a_tombstone_takes_a_messages_place,
    archive::a_tombstone_is_of_one_account_alone,
    archive::sessions_are_stored_and_see_what_came_since,
    archive::sessions_forget_what_they_have,
    archive::accounts_with_sessions_are_listed,
    archive::archive_preferences_are_replaced,
    rooms::a_room_is_made_once_and_belongs_to_its_owner,
    rooms::somebody_owns_so_many_rooms,
    rooms::setup_and_subject_of_a_room_change,
    rooms::members_of_a_room_are_remembered_in_order,
    rooms::an_account_that_is_gone_is_nothing_in_rooms,
    rooms::occupants_of_a_room_keep_the_order_in_which_they_came,
    rooms::a_room_has_an_archive,
    rooms::rooms_of_a_service_are_listed_page_by_page,
    rooms::a_room_made_again_has_nothing_of_the_old_one,
    rooms::a_room_that_is_not_there_is_missing,
    twin::rooms_in_memory_are_like_those_in_a_database,
}
