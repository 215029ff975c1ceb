// The first sync of a mobile app with the models of the generated Kotlin client: everything that the account may see, typed, and then only
// what changes. The transport is Java's own; on Android it is the client's, or any other.
//
// FirstSync URL TOKEN

import ir.khoosheh.client.infrastructure.Serializer
import ir.khoosheh.client.models.Change
import ir.khoosheh.client.models.Changes
import ir.khoosheh.client.models.Enterprise
import ir.khoosheh.client.models.EnterpriseInput
import ir.khoosheh.client.models.Fate
import ir.khoosheh.client.models.Isic
import ir.khoosheh.client.models.IsicClass
import ir.khoosheh.client.models.Kind
import ir.khoosheh.client.models.PageCluster
import ir.khoosheh.client.models.PageMilestone
import ir.khoosheh.client.models.PageProject
import ir.khoosheh.client.models.Problem
import ir.khoosheh.client.models.ProvinceCode
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.util.UUID
import kotlinx.serialization.json.Json

// What is not set is left out: null says that there is no such value, and not every field takes it.
val json = Json(Serializer.kotlinxSerializationJson) { explicitNulls = false }

class Khoosheh(private val url: String, private val token: String) {
    private val http = HttpClient.newHttpClient()

    private fun ask(path: String): HttpRequest.Builder =
        HttpRequest.newBuilder(URI("$url/api/v1/$path")).header("Authorization", "Bearer $token").header("Accept-Language", "fa")

    fun send(request: HttpRequest): String {
        val answer = http.send(request, BodyHandlers.ofString())
        if (answer.statusCode() >= 400) {
            val problem = json.decodeFromString<Problem>(answer.body())
            error("${problem.code}: ${problem.detail} ${problem.errors.orEmpty()}")
        }
        return answer.body()
    }

    fun get(path: String): String = send(ask(path).build())

    fun post(path: String, body: String): String =
        send(ask(path).header("Content-Type", "application/json").POST(BodyPublishers.ofString(body)).build())

    /** All changes from a place on, and where to go on next time. */
    fun changes(from: String): Pair<List<Change>, String> {
        val all = mutableListOf<Change>()
        var page = json.decodeFromString<Changes>(get("changes?page_size=200&$from"))
        while (true) {
            all += page.items
            if (!page.hasMore) return all to page.nextCursor
            page = json.decodeFromString<Changes>(get("changes?page_size=200&since=${page.nextCursor}"))
        }
    }
}

fun main(arguments: Array<String>) {
    val khoosheh = Khoosheh(arguments[0], arguments[1])
    val (snapshot, cursor) = khoosheh.changes("snapshot=true")
    fun ids(kind: Kind): Set<UUID> = snapshot.filter { it.resource == kind && it.kind == Fate.upsert }.map { it.id }.toSet()
    // A list tells what follows from other records as well.
    val clusters = json.decodeFromString<PageCluster>(khoosheh.get("clusters?page_size=200")).items
    val projects = json.decodeFromString<PageProject>(khoosheh.get("projects?page_size=200")).items
    val milestones = json.decodeFromString<PageMilestone>(khoosheh.get("milestones?page_size=200")).items
    check(ids(Kind.cluster) == clusters.map { it.id }.toSet()) { "the snapshot has other clusters than the list" }
    check(ids(Kind.project) == projects.map { it.id }.toSet()) { "the snapshot has other projects than the list" }
    check(ids(Kind.milestone) == milestones.map { it.id }.toSet()) { "the snapshot has other milestones than the list" }
    println("${clusters.size} clusters, ${projects.size} projects, ${milestones.size} milestones")

    val input = EnterpriseInput(isic = listOf(Isic(IsicClass._2396)), nameFa = "سنگ‌بری نمونه", province = ProvinceCode.IRMinus15)
    val made = json.decodeFromString<Enterprise>(khoosheh.post("enterprises", json.encodeToString(input)))
    val (news, _) = khoosheh.changes("since=$cursor")
    check(news.single().id == made.id) { "one change was expected: $news" }
    println("since then: ${news.single().data?.get("name_fa")}")
}
