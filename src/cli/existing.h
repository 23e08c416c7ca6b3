/* existing.h - the placement that an ExecuTorch program has already, as a plan. */
#ifndef DV_CLI_EXISTING_H
#define DV_CLI_EXISTING_H

#include "cli/pipeline.h"

/* What runs behind a closed door can be on one device alone: in a program (a delegate whose blob
   cannot be opened, a kernel that is not understood) where its call puts it, in other models (a
   custom operator, one that is known by name) on the host. Lets the session's platform run it
   there, before the problem is built; pins it there, after. DV_BAD_INPUT naming the call if the
   platform has no device of its backend, or the operator if what it makes is not known. Nothing is
   to do for a graph that is understood. */
DV_MUST_USE dv_status dv_existing_allow_closed(const dv_cli *cli, dv_session *session);
DV_MUST_USE dv_status dv_existing_pin_closed(const dv_cli *cli, dv_session *session);

/* Where the program's own calls put each unit of the session's problem: portable kernels on the
   host, a delegate's operators on the device that is its backend's. *plan NULL, with a note to the
   user that says why, if the platform has no such device or the plan breaks a limit of the problem;
   and NULL without a note if the model is no program. */
DV_MUST_USE dv_status dv_existing_plan(const dv_cli *cli, const dv_session *session,
                                       dv_plan **plan);

/* One line: what it costs beside session->plan, and what is left on the table. Nothing if there is
   no such plan, or session->plan is not one of least latency. */
DV_MUST_USE dv_status dv_existing_print(const dv_cli *cli, const dv_session *session, dv_text *out);

#endif
