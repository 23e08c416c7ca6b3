# What ExecuTorch itself wrote: calls, kernels, segments, the nodes of its delegates
pte=$golden/../data/pte
divvy info "$pte/conv_xnn.pte" | sed '1d'
divvy info "$pte/conv_vulkan.pte" --json | sed -n '/"method":/,/"segments"/p'
divvy info "$pte/methods_xnn.pte" | tail -n 1
divvy info "$pte/methods_xnn.pte" --method nothing
# Its own placement beside the optimum
divvy compare "$pte/conv_vulkan.pte" -p galaxy_s24 -s auto -s chain --untimed | sed '1d'
divvy compare "$pte/conv_vulkan.pte" -s auto --untimed | sed '1d'
divvy explain "$pte/conv_vulkan.pte" -p galaxy_s24 | sed -n '/own placement/p'
divvy partition "$pte/conv_vulkan.pte" -p galaxy_s24 | tail -n 1
# A delegate whose blob is closed stays on its device, and is counted by what it moves
LC_ALL=C sed 's/VulkanBackend/CoreMLBackend/g; s/VH00/XX00/g' "$pte/conv_vulkan.pte" >closed.pte
divvy compare closed.pte -s auto --untimed
divvy partition closed.pte -p galaxy_s24
