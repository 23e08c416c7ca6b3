/* unsupported_gain.h - what would a device's plan gain if it learned an operator it does not run?

   For each device and each kind of operator of the model that it does not support: the model is
   priced and solved anew as if it did, at the rates that the cost model has for that kind's family;
   and once for each device with all of them. */
#ifndef DV_CLI_UNSUPPORTED_GAIN_H
#define DV_CLI_UNSUPPORTED_GAIN_H

#include "cli/pipeline.h"
#include "core/json.h"

typedef struct dv_lesson {
    dv_device_id device;
    dv_op_kind kind;    /* DV_OP_COUNT: all that the device does not run */
    uint32_t operators; /* of the model, of that kind */
    double latency_us;  /* of the plan then found */
    uint32_t segments;
    bool proven; /* no plan is faster */
} dv_lesson;

typedef struct dv_lessons {
    uint32_t count;
    dv_lesson *lesson; /* greatest gain first; of a device all together before each kind */
    double base_us;    /* with what the devices run today */
    bool proven;       /* every latency, the base's too, is the optimum */
} dv_lessons;

/* Solves with the strategy of the command line. DV_BAD_PARAMETER for a problem file, which has no
   operators. O(devices * kinds) solves. lessons may be freed in any case. */
DV_MUST_USE dv_status dv_lessons_find(const dv_cli *cli, const dv_session *session,
                                      dv_lessons *lessons);
void dv_lessons_free(dv_lessons *lessons);

void dv_lessons_print(const dv_cli *cli, const dv_session *session, const dv_lessons *lessons,
                      dv_text *out);
void dv_lessons_json(const dv_session *session, const dv_lessons *lessons, dv_json_writer *json);

#endif
