using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Namespaces;

/// <summary>
/// Who may ask for which namespace. Who may change any SupervisorNamespace may ask for any. All others name a template that allows them and nothing
/// else: the template's content is written into the new object, its maker becomes owner, and a later change of the template changes no namespace.
/// </summary>
internal sealed class NamespaceAdmission(ApiClient api)
{
    /// <summary>What an asker without rights may say.</summary>
    private static readonly string[] s_free = ["template", "description", "requestedBy"];

    /// <summary>What the schema's defaults put into every object.</summary>
    private static readonly string[] s_defaulted = ["adopt", "removal", "defaults"];

    /// <summary>Decides.</summary>
    public async Task<JsonObject> DecideAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await LookAsync(request, cancellationToken);
        }
        catch (ApiException problem)
        {
            return request.Refuse($"the Supervisor could not find out whether {request.User} may: {problem.Message}. Try again");
        }
    }

    private async Task<JsonObject> LookAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        JsonObject spec = request.Object["spec"]?.AsObject() ?? [];
        if (request.Operation == "UPDATE")
        {
            bool same = Same("template") && Same("requestedBy");
            return same ? request.Allow() : request.Refuse("spec.template and spec.requestedBy say how the namespace began, and stay");
        }

        bool admin = await MayChangeAsync(request, cancellationToken);
        if ((string?)spec["template"] is not { } template)
        {
            return admin
                ? request.Allow(Put("requestedBy", request.User))
                : request.Refuse($"{request.User} may make namespaces from a template only: name one as spec.template. `kubectl get supervisornamespacetemplates` lists them");
        }

        if (await api.FindAsync<SupervisorNamespaceTemplate>(null, template, cancellationToken) is not { } found)
        {
            return request.Refuse($"there is no SupervisorNamespaceTemplate {template}");
        }

        string[] own = [.. spec.Select(member => member.Key).Except(s_free).Except(s_defaulted)];
        if (own.Length > 0 || (bool?)spec["adopt"] == true)
        {
            return request.Refuse($"a namespace from a template takes all from it: leave out {string.Join(", ", own.DefaultIfEmpty("adopt").Select(member => "spec." + member))}");
        }

        return await RefusalAsync(request, found, admin, cancellationToken) is { } why ? request.Refuse(why) : request.Allow(Fill(request, spec, found));

        bool Same(string member) => JsonNode.DeepEquals(request.Former?["spec"]?[member], spec[member]);
    }

    private async Task<string?> RefusalAsync(AdmissionRequest request, SupervisorNamespaceTemplate template, bool admin, CancellationToken cancellationToken)
    {
        if (!admin && !template.Spec.Allowed.Any(who => who.Kind == "Group" ? request.Groups.Contains(who.Name) : who.Name == request.User))
        {
            return $"the template {template.Metadata.Name} does not allow {request.User}";
        }

        // From the server: several requests of one user within moments each count the others.
        (IReadOnlyList<SupervisorNamespace> all, _) = await api.ListAsync<SupervisorNamespace>(null, null, cancellationToken);
        int has = all.Count(item => item.Spec.Template == template.Metadata.Name && item.Spec.RequestedBy == request.User);
        return has < template.Spec.MaxPerUser ? null : $"{request.User} has {has} namespaces from the template {template.Metadata.Name}, which allows {template.Spec.MaxPerUser}";
    }

    private static JsonNode[] Fill(AdmissionRequest request, JsonObject asked, SupervisorNamespaceTemplate template)
    {
        JsonObject spec = JsonNode.Parse(KubernetesJson.Serialize(template.Spec.Namespace))!.AsObject();
        spec["template"] = template.Metadata.Name;
        spec["requestedBy"] = request.User;
        if (asked["description"] is { } words)
        {
            spec["description"] = words.DeepClone();
        }

        JsonArray permissions = new([.. (spec["permissions"]?.AsArray() ?? []).Where(who => (string?)who?["kind"] != "User" || (string?)who?["name"] != request.User).Select(who => who?.DeepClone())]);
        permissions.Add(new JsonObject { ["kind"] = "User", ["name"] = request.User, ["role"] = Permission.Owner });
        spec["permissions"] = permissions;
        return [new JsonObject { ["op"] = "replace", ["path"] = "/spec", ["value"] = spec }];
    }

    private async Task<bool> MayChangeAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        V1SubjectAccessReview review = new()
        {
            ApiVersion = "authorization.k8s.io/v1",
            Kind = "SubjectAccessReview",
            Metadata = new V1ObjectMeta(),
            Spec = new V1SubjectAccessReviewSpec
            {
                User = request.User, Groups = [.. request.Groups],
                ResourceAttributes = new V1ResourceAttributes { Group = "supervisor.vks.dev", Resource = "supervisornamespaces", Verb = "update" },
            },
        };
        return (await api.CreateAsync(review, cancellationToken)).Status.Allowed;
    }

    private static JsonObject Put(string member, string value) => new() { ["op"] = "add", ["path"] = $"/spec/{member}", ["value"] = value };
}
