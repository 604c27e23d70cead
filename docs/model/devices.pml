/* Device lists against a relay that shows whatever it likes (docs/protocol.md, KEY-2 to KEY-4 and SEND-8). What this proves, within which
 * bounds and by which abstraction, stands in README.md, with the switches of the broken variants.
 *
 * Alice keeps the newest device list of Bob that she has verified, over restarts, and encrypts for its devices. Bob's account key has
 * signed a history with a fork: two of his devices have both issued a version 2, not knowing of each other. The relay shows any of these
 * lists, in any order, as often as it likes; one that it made up; and lists of another account key, which is its own.
 */

#define ROUNDS 7           /* steps of the relay, of Alice and of the person beside her */
#define NO_LIST 9

/* What can be shown: 0 version 1; 1 and 2 version 2 of either branch; 3 and 4 version 3 of them; 5 made up by the relay, with a device
 * of its own; 6 and 7 versions 1 and 2 of the relay's own account key; 8 version 4 of the second branch. */
#ifdef GAP
#define LAST 8
#else
#define LAST 7
#endif
byte version[9];
byte previous[9];          /* the list that is named as the one before */
bool bobs[9];              /* signed by the account key that Alice has pinned */
bool relays[9];            /* signed by the relay's own account key */
bool holds_relays[9];      /* a device of the relay is in it */

byte known;                /* the list that Alice holds */
byte newest = 1;           /* the highest version that she has held of this key */
bool seen[9];              /* what she has ever held */
bool verified;             /* a person has compared the safety number */
bool stopped;              /* another key came under the verified name: nothing is sent until the person decides */
bool shown;                /* the person was told of the change */
bool accepted;             /* the person has accepted the other key */

inline hold(list)
{
    known = list;
    seen[list] = true;
    /* KEY-3: never back, */
    assert(version[known] >= newest);
    newest = version[known];
    /* never two lists of one version, */
    assert(!(seen[1] && seen[2]) && !(seen[3] && seen[4]));
    /* and never from one branch to the other. */
    assert(!(seen[1] && (seen[4] || seen[8])) && !(seen[2] && seen[3]))
}

inline take(list)
{
    if
    :: bobs[list] == bobs[known] && relays[list] == relays[known] ->
        if
#ifndef NO_VERSION_CHECK
        :: version[list] < version[known]                                     /* KEY-3: refused */
#endif
#ifndef NO_FORK_CHECK
        :: version[list] == version[known] && list != known
        :: version[list] == version[known] + 1 && previous[list] != known
#endif
        :: else -> hold(list)
        fi
    :: relays[list] && bobs[known] ->                                         /* KEY-4: another key */
        if
#ifndef ACCEPT_CHANGED_KEY
        :: verified -> stopped = true
#endif
        :: else -> shown = true; newest = 1; hold(list)
        fi
    :: !bobs[list] && !relays[list] ->                                        /* KEY-2: no signature holds */
#ifdef NO_SIGNATURE
        hold(list)
#else
        skip
#endif
    :: else                                                                   /* back to Bob's key: as another change, not modelled */
    fi
}

inline encrypt(missing)
{
    if
    :: !stopped ->
        for_relay = holds_relays[known];
#ifdef TRUST_MISSING
        for_relay = for_relay || missing;                                     /* broken: SEND-8 */
#endif
        /* Nothing is encrypted for a device of the relay's, unless the person was told that the key had changed and had never verified the
         * old one, or has accepted the new one. */
        assert(!for_relay || accepted || (shown && !verified))
    :: else
    fi
}

proctype World()
{
    byte round, list;
    bool missing, for_relay;
    for (round : 1 .. ROUNDS) {
        if
        :: atomic { select(list : 0 .. LAST); take(list) }
        :: atomic { missing = true; encrypt(missing) }
        :: atomic { missing = false; encrypt(missing) }
        :: atomic { !verified && bobs[known] -> verified = true }
        :: atomic { stopped -> stopped = false; accepted = true; newest = 1; hold(6) }
#ifdef FORGETS_LIST
        :: known = 0                                                          /* broken: what Alice knows is not durable */
#endif
        fi
    }
}

init
{
    atomic {
        version[0] = 1; previous[0] = NO_LIST; bobs[0] = true;
        version[1] = 2; previous[1] = 0;       bobs[1] = true;
        version[2] = 2; previous[2] = 0;       bobs[2] = true;
        version[3] = 3; previous[3] = 1;       bobs[3] = true;
        version[4] = 3; previous[4] = 2;       bobs[4] = true;
        version[5] = 4; previous[5] = 3;       holds_relays[5] = true;
        version[6] = 1; previous[6] = NO_LIST; relays[6] = true; holds_relays[6] = true;
        version[7] = 2; previous[7] = 6;       relays[7] = true; holds_relays[7] = true;
        version[8] = 4; previous[8] = 4;       bobs[8] = true;
        seen[0] = true;
        run World()
    }
}
