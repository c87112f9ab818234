using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>Which plugin asked for what: two cannot set the same, since nobody could say whose is meant.</summary>
internal sealed class Ownership
{
    /// <summary>As judging plugins are told.</summary>
    public OwningPlugins Owners { get; } = new();

    /// <summary>Takes a field of a container for a plugin.</summary>
    /// <param name="containerId">The container.</param>
    /// <param name="field">The field.</param>
    /// <param name="key">Which one of the field, where it has many; else null.</param>
    /// <param name="plugin">The plugin.</param>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: another plugin has it.</exception>
    public void Claim(string containerId, AdjustedField field, string? key, string plugin)
    {
        FieldOwners fields = FieldsOf(containerId);
        Google.Protobuf.Collections.MapField<string, string>? keys = key is null ? null : KeysOf(fields, field);
        string? owner = key is null ? fields.Simple.GetValueOrDefault((int)field) : keys!.TryGetValue(key, out string? other) ? other : null;
        if (owner is not null && owner != plugin)
        {
            throw new PodException(
                PodFault.Refused,
                containerId,
                $"NRI plugins {owner} and {plugin} both set {field}{(key is null ? "" : $" '{key}'")} of container {containerId}; only one of them can. Take one of the plugins away, or change its settings.");
        }

        if (key is null)
        {
            fields.Simple[(int)field] = plugin;
        }
        else
        {
            keys![key] = plugin;
        }
    }

    /// <summary>Gives a field back: a plugin has taken away what another had set.</summary>
    public void Clear(string containerId, AdjustedField field, string? key)
    {
        FieldOwners fields = FieldsOf(containerId);
        if (key is null)
        {
            fields.Simple.Remove((int)field);
        }
        else
        {
            KeysOf(fields, field).Remove(key);
        }
    }

    private FieldOwners FieldsOf(string containerId)
    {
        if (!Owners.Owners.TryGetValue(containerId, out FieldOwners? fields))
        {
            Owners.Owners[containerId] = fields = new FieldOwners();
        }

        return fields;
    }

    private static Google.Protobuf.Collections.MapField<string, string> KeysOf(FieldOwners fields, AdjustedField field)
    {
        if (!fields.Compound.TryGetValue((int)field, out CompoundFieldOwners? keys))
        {
            fields.Compound[(int)field] = keys = new CompoundFieldOwners();
        }

        return keys.Owners;
    }
}
