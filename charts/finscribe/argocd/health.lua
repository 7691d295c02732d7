-- The health check of a FineTuneJob for Argo CD. It belongs into the ConfigMap argocd-cm, under the key
-- resource.customizations.health.finscribe.io_FineTuneJob. Argo CD sets `obj` to the FineTuneJob.

local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to read the job"}
end

local holds = {}
local promoted = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    holds[condition.type] = condition
  end
  if condition.type == "Promoted" then
    promoted = condition
  end
end

local function health(name, condition)
  return {status = name, message = condition.reason .. ": " .. (condition.message or "")}
end

if holds.Stalled then
  return health("Degraded", holds.Stalled)
elseif holds.Reconciling then
  return health("Progressing", holds.Reconciling)
elseif holds.Complete then
  local result = health("Healthy", holds.Complete)
  if promoted.status == "False" then
    result.message = result.message .. " " .. promoted.reason .. ": " .. (promoted.message or "")
  end
  return result
elseif holds.Suspended then
  return health("Suspended", holds.Suspended)
end
return {status = "Progressing", message = "Waiting for the operator to set conditions"}
