# The include rule as data: room(PATH [NEEDS LIBRARY...] [DOOR HEADER] [MAY ROOM...]). A room may include itself, what its line
# names, and common/{base,config,log,metrics,text,trace} (rooms of kernels/: common/base only), as far as it stands above the
# room in this table; a folder (`kernels`) stands for every room below it. CMake adds the rooms in this order and links
# each with what it may include; tests/tidy checks the includes and the map in docs/ARCHITECTURE.md against this table.
# DOOR: the header to read first, where it is not <room>.h.
# NEEDS: boost, grpc (and protobuf), prometheus, ucx; a room that needs one of ATOLL_LEAVE_OUT is not built.
set(ATOLL_ROOMS)
function(room path)
  cmake_parse_arguments(ARG "" "DOOR" "NEEDS;MAY" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "room(${path}): ${ARG_UNPARSED_ARGUMENTS} belongs to no keyword")
  endif()
  set(ATOLL_ROOMS ${ATOLL_ROOMS} ${path} PARENT_SCOPE)
  set_property(GLOBAL PROPERTY ATOLL_ROOM_MAY_${path} ${ARG_MAY})
  set_property(GLOBAL PROPERTY ATOLL_ROOM_NEEDS_${path} ${ARG_NEEDS})
endfunction()

room(proto NEEDS grpc)
room(common/base DOOR status.h)
room(common/text DOOR json_tree.h)
room(common/log)
room(common/metrics DOOR registry.h NEEDS prometheus)
room(common/concurrency DOOR thread_pool.h)
room(common/config DOOR model_config.h)
room(common/step DOOR step_plan.h MAY proto)
room(common/tokenizer/pre_tokenizer)
room(common/tokenizer/bpe)
room(common/tokenizer MAY common/tokenizer)
room(common/jinja/values DOOR value.h)
room(common/jinja/builtins MAY common/jinja/values)
room(common/jinja/syntax DOOR parser.h MAY common/jinja/values common/jinja/builtins)
room(common/jinja MAY common/jinja)

room(kernels/tensor DOOR tensor_view.h)
room(kernels/simd DOOR f32x16.h MAY kernels/tensor)
room(kernels/dispatch DOOR kernel_context.h MAY kernels/tensor)
room(kernels/ops DOOR gemm/gemm.h MAY kernels/tensor kernels/simd kernels/dispatch)

room(coordinator/http DOOR http_server.h NEEDS boost)
room(coordinator/request MAY common/step)
room(coordinator/output DOOR answer.h MAY common/step common/tokenizer coordinator/request)
room(coordinator/prompt MAY common/jinja common/tokenizer coordinator/output coordinator/request)
room(coordinator/cache DOOR home_ledger.h)
room(coordinator/membership)
room(coordinator/scheduler MAY coordinator/request coordinator/cache common/step)
room(coordinator/worker_link NEEDS grpc MAY common/step coordinator/membership proto)
room(coordinator/engine MAY coordinator/request coordinator/membership
     coordinator/scheduler coordinator/worker_link common/step common/concurrency)
room(coordinator/telemetry DOOR engine_metrics.h NEEDS prometheus MAY coordinator/cache coordinator/engine
     coordinator/worker_link)
room(coordinator/generation NEEDS prometheus MAY common/concurrency common/step coordinator/engine coordinator/output
     coordinator/prompt coordinator/request)
room(coordinator/api/openai/request DOOR request_parser.h MAY coordinator/request)
room(coordinator/api/openai NEEDS boost prometheus MAY common/step common/tokenizer coordinator/api/openai/request
     coordinator/generation coordinator/http coordinator/output coordinator/prompt coordinator/request)
room(coordinator/api/status NEEDS boost prometheus MAY coordinator/engine coordinator/http)
room(coordinator/api NEEDS boost prometheus MAY common/concurrency coordinator/api/openai coordinator/api/status
     coordinator/engine coordinator/generation coordinator/http coordinator/prompt coordinator/request)
room(coordinator DOOR flags.h NEEDS boost grpc prometheus MAY coordinator)

room(worker/weights/safetensors)
room(worker/weights DOOR model_weights.h MAY worker/weights/safetensors kernels/tensor)
room(worker/packed_weights DOOR packed_store.h MAY worker/weights kernels/tensor kernels/dispatch kernels/ops)
room(worker/transport MAY common/concurrency common/step)
room(worker/transport/ucx DOOR ucx_transport.h NEEDS ucx MAY worker/transport common/concurrency common/step)
room(worker/kv_cache MAY kernels/tensor kernels/ops)
room(worker/moe DOOR moe_layer.h MAY worker/weights worker/transport kernels/tensor kernels/dispatch kernels/ops)
room(worker/layers DOOR attention_layer.h MAY worker/weights worker/kv_cache kernels/tensor kernels/dispatch kernels/ops)
room(worker/model DOOR decoder.h MAY worker/layers worker/weights worker/kv_cache worker/moe kernels/tensor kernels/dispatch
     kernels/ops)
room(worker/sampling DOOR sampler.h MAY kernels/dispatch kernels/ops common/step)
room(worker/batch DOOR batch_builder.h MAY worker/kv_cache worker/sampling kernels/ops common/step)
room(worker/executor MAY worker/batch worker/model worker/kv_cache worker/moe worker/sampling worker/transport kernels/tensor
     kernels/dispatch common/step common/concurrency)
room(worker/local DOOR local_cluster.h MAY worker/executor worker/transport common/step)
room(worker/scripted DOOR scripted_runner.h MAY worker/batch worker/executor common/step common/tokenizer)
room(worker/rpc DOOR coordinator_client.h NEEDS grpc MAY common/step proto)
room(worker/process DOOR worker_process.h NEEDS grpc ucx MAY worker/executor worker/kv_cache worker/model
     worker/packed_weights worker/rpc worker/scripted worker/transport/ucx worker/weights common/concurrency)
room(worker NEEDS grpc ucx MAY worker/process)

room(tools/loadgen/plan DOOR load_plan.h)
room(tools/loadgen/client DOOR client_loop.h NEEDS boost MAY tools/loadgen/plan)
room(tools/loadgen/run DOOR load_run.h NEEDS boost MAY tools/loadgen common/concurrency)
room(tools/loadgen NEEDS boost MAY tools/loadgen)
room(tools/checker/question DOOR flags.h MAY common/tokenizer coordinator/prompt)
room(tools/checker/logits DOOR logits_source.h NEEDS grpc MAY tools/checker/question common/concurrency
     coordinator/engine coordinator/worker_link kernels/ops worker/local)
room(tools/checker/kinds DOOR kind.h NEEDS grpc MAY tools/checker/question tools/checker/logits common/tokenizer
     coordinator/prompt coordinator/api/openai/request kernels/ops worker/sampling worker/weights)
room(tools/checker DOOR run.h NEEDS grpc ucx MAY tools/checker/question tools/checker/kinds)
room(tools/random_checkpoint/tensors DOOR tensor_writer.h MAY common/concurrency kernels/tensor worker/weights)
room(tools/random_checkpoint MAY tools/random_checkpoint/tensors common/concurrency common/step common/tokenizer
     worker/weights)
room(tools/verify_checkpoint/evidence DOOR report.h MAY tools/random_checkpoint/tensors worker/weights)
room(tools/verify_checkpoint/checks DOOR tensor_check.h MAY tools/verify_checkpoint/evidence
     tools/random_checkpoint/tensors common/concurrency common/tokenizer coordinator/prompt kernels/ops worker/local
     worker/weights)
room(tools/verify_checkpoint DOOR verify.h MAY tools/verify_checkpoint/evidence tools/verify_checkpoint/checks
     tools/random_checkpoint/tensors common/concurrency)
room(tools/reference DOOR pages.h NEEDS boost grpc prometheus ucx MAY coordinator worker/process tools/checker/question
     tools/loadgen/plan tools/random_checkpoint tools/verify_checkpoint)
