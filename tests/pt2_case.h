/* pt2_case.h - a torch.export archive with what torch itself computed: NAME.pt2 and NAME.ref, as
   tests/models/make_pt2.py writes them. */
#ifndef DV_TESTS_PT2_CASE_H
#define DV_TESTS_PT2_CASE_H

#include "core/graph.h"

/* Loads folder/name.pt2, lowers it, runs it on the portable backend with the reference's inputs,
   and compares: the largest difference of any output, relative to its root mean square; integers
   and infinities must be equal. INFINITY, and a line on stderr, if something fails. */
double pt2_difference(const char *folder, const char *name);

#endif
