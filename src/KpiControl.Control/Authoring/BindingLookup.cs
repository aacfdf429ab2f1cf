using System.Globalization;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Authoring;

/// <summary>Resolves the binding a request is about: what does not exist and what is another tenant's are the same to the caller.</summary>
internal static class BindingLookup
{
    /// <summary>For reading.</summary>
    public static Task<Binding> ResolveAsync(RequestTransaction tx, BindingKey key, Verb verb) =>
        ResolveAsync(tx, key, verb, BindingStore.FindAsync);

    /// <summary>For changing: other edits of the binding wait until this transaction ends.</summary>
    public static Task<Binding> ResolveForEditAsync(RequestTransaction tx, BindingKey key, Verb verb) =>
        ResolveAsync(tx, key, verb, BindingStore.FindForEditAsync);

    private static async Task<Binding> ResolveAsync(
        RequestTransaction tx, BindingKey asked, Verb verb, Func<RequestTransaction, BindingKey, Task<Binding?>> find)
    {
        var key = Complete(asked, tx.Caller);
        var what = key.BindingId != 0
            ? string.Create(CultureInfo.InvariantCulture, $"The job {key.BindingId}")
            : $"The job {key.Tenant}/{key.Environment}/{key.JobId}";
        var binding = await find(tx, key) ?? throw Reject.NotFound(what);
        tx.Demand(verb, binding.TenantId, binding.Environment, what);
        return binding;
    }

    private static BindingKey Complete(BindingKey key, Caller caller)
    {
        if (key.BindingId != 0)
            return key;
        if (key.JobId.Length == 0)
            throw Reject.Invalid("binding_id", "is missing: name a job by binding_id, or by tenant, environment and job_id");
        if (key.Tenant.Length == 0 && caller.TenantsFor(Verb.List) is not [_])
            throw Reject.Invalid("tenant", "is missing: you may see more than one tenant's jobs");
        return key with
        {
            Tenant = key.Tenant.Length > 0 ? key.Tenant : caller.TenantsFor(Verb.List)![0],
            Environment = key.Environment.Length > 0 ? key.Environment : "dev",
        };
    }
}
