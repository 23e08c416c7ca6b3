/* backend_cases.h - networks of an operator or two that every library backend must compute as the
   portable one does; each is a test of test_backend_*.c. */
#ifndef DV_TESTS_BACKEND_CASES_H
#define DV_TESTS_BACKEND_CASES_H

void cases_of_convolution(const char *backend);
void cases_of_transposed_convolution(const char *backend);
void cases_of_matrices(const char *backend);
void cases_of_pooling(const char *backend);
void cases_of_one_operand(const char *backend);
void cases_of_two_operands(const char *backend);
void cases_of_rows(const char *backend);
void cases_of_movement(const char *backend);
void cases_of_blocks(const char *backend);

#endif
