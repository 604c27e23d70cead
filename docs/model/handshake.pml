/* Handshake and activation of a connection (docs/protocol.md, sections 9 and 12.1) against a network that has every message in its
 * hands. What this proves, within which bounds and by which abstraction, stands in README.md, with the switches of the broken variants.
 *
 * The client makes CLIENTS connections, one after another, each with an ephemeral of its own. The relay answers on RELAYS connections,
 * each with an ephemeral of its own. A message is not sent: it becomes known, and whoever waits may be given any known message at any
 * time, as often as the network likes, or none. The network knows the access token; it has an ephemeral and signing keys of its own, and
 * in the end the keys of every session that both sides have left. Signatures and codes cannot be made without their keys.
 */

#define CLIENTS 2
#define RELAYS  3
#define EVIL    0          /* the network's own ephemeral, whose private half it knows */
#define NONE    255
#define PAIR(c, r) ((c) * 4 + (r))

/* What the network knows: by ephemeral of the client, or by both ephemerals of a session. */
bool hello[3];             /* Hello with this ephemeral, under the device's signature */
bool welcome[12];          /* Welcome for this session, under the relay's signature */
bool ack[12];              /* the client's first frame in this session, with this cursor: */
byte ack_cursor[12];
bool leaked[12];           /* the keys of this session */

byte accepted[3];          /* with which ephemeral of the relay the client has opened its connection */
bool taken[4];             /* a Welcome with this ephemeral was taken */
bool left[12];             /* the client has left this session */
byte durable;              /* what the client has made durable */

bool activated[12];        /* this session has become the device's own */
byte welcomes;             /* the relay's connections that are behind their Welcome: they are numbered in that order */
byte own;                  /* the relay's connection that is the device's own */
byte newest;               /* the client's connection that has become it last */
byte forgotten;            /* up to where the relay has forgotten */

/* A connection becomes the device's own. Here and nowhere else does it close another, forget or deliver. */
inline activate(c, r, cursor)
{
#ifndef LATE_FIRST_FRAME
  if
  :: number < own                                     /* HS-13: changes nothing */
  :: else ->
#endif
    /* HS-7, HS-8, ACK-1: the device itself has opened this session and sent this frame in it, ... */
    assert(c != EVIL);
    assert(accepted[c] == r && ack[PAIR(c, r)] && ack_cursor[PAIR(c, r)] == cursor);
    /* ... which counts once. */
    assert(!activated[PAIR(c, r)]);
    activated[PAIR(c, r)] = true;
    if
    :: cursor > forgotten -> forgotten = cursor
    :: else
    fi;
    /* ACK-2, ACK-3: only what is durable at the client is forgotten. */
    assert(forgotten <= durable);
    /* HS-13: what is late takes the device over from no newer connection of the client. */
    assert(newest <= c);
    newest = c;
    own = number
#ifndef LATE_FIRST_FRAME
  fi
#endif
}

proctype Client()
{
    byte c, r, said;
    bool genuine;
    c = 1;
    do
    :: c <= CLIENTS ->
        hello[c] = true;
        if
        :: skip                                       /* no answer: the next connection */
        :: atomic {
               select(r : 0 .. RELAYS);               /* the Welcome that it is shown */
               said = c;
#ifdef NO_TRANSCRIPT
               select(said : 1 .. CLIENTS);           /* broken: the signature covers no Hello */
#endif
               genuine = (r != EVIL && welcome[PAIR(said, r)]);
#ifdef NO_PIN
               genuine = genuine || r == EVIL;        /* broken: any relay's key will do */
#endif
               if
               :: genuine ->
                   /* HS-3, HS-4, agreement: the pinned relay has made this Welcome for this Hello, ... */
                   assert(r != EVIL && welcome[PAIR(c, r)]);
                   /* ... and no two connections of the client take the same. */
                   assert(!taken[r]);
                   taken[r] = true;
                   accepted[c] = r;
                   ack_cursor[PAIR(c, r)] = durable;
                   ack[PAIR(c, r)] = true
               :: else
               fi
           };
           if
           :: accepted[c] != NONE && durable < 2 -> durable++
           :: skip
           fi;
           r = accepted[c];
           if
           :: r != NONE -> left[PAIR(c, r)] = true
           :: else
           fi
        fi;
        c++
    :: else -> break
    od
}

/* One connection of the relay, which does not know who is at the other end. */
proctype Relay(byte number)
{
    byte c, r, of_c, of_r, cursor;
    bool good;
    r = number;
#ifdef EPHEMERAL_REUSED
    r = 1;                                            /* broken: HS-11 */
#endif
    atomic {
        welcomes == number - 1;                       /* nothing else tells one connection of the relay from another */
        welcomes++;
        select(c : 0 .. CLIENTS);                     /* the Hello that it is shown */
        good = (c != EVIL && hello[c]);
#ifdef NO_HELLO_SIGNATURE
        good = good || c == EVIL;                     /* broken: anybody's Hello will do */
#endif
        if
        :: good -> welcome[PAIR(c, r)] = true
        :: else
        fi
    };
    if
    :: good ->
#ifdef ACTIVATE_ON_HELLO
        atomic { activate(c, r, durable) }            /* broken: HS-7 */
#endif
        if
        :: skip                                       /* no frame came in time */
        :: atomic {
               select(cursor : 0 .. 2);               /* the first frame that it is shown: for this session, or another */
               of_c = c;
               of_r = r;
#ifdef KEYS_NOT_BOUND
               select(of_c : 1 .. CLIENTS);           /* broken: the key does not depend on the ephemerals */
               select(of_r : 1 .. RELAYS);
#endif
               good = ack[PAIR(of_c, of_r)] && ack_cursor[PAIR(of_c, of_r)] == cursor;
               good = good || c == EVIL || leaked[PAIR(c, r)];
#ifdef NO_TAG
               good = true;                           /* broken: FRAME-7, SES-1 */
#endif
               if
               :: good -> activate(c, r, cursor)
               :: else
               fi
           }
        fi;
        /* Nobody uses the keys of this session any more. */
        if
        :: left[PAIR(c, r)] -> leaked[PAIR(c, r)] = true
        :: skip
        fi
    :: else
    fi
}

#ifdef CLIENT_EPHEMERAL_LEAKS
/* Broken: HS-11. The network learns the private half of an ephemeral that the client has used. */
proctype Thief()
{
    byte r;
end_waits:
    atomic {
        accepted[1] != NONE && left[PAIR(1, accepted[1])];
        for (r : 1 .. RELAYS) { leaked[PAIR(1, r)] = true }
    }
}
#endif

init
{
    byte i;
    atomic {
        for (i : 0 .. 2) { accepted[i] = NONE }
        run Client();
        for (i : 1 .. RELAYS) { run Relay(i) }
#ifdef CLIENT_EPHEMERAL_LEAKS
        run Thief()
#endif
    }
}
